/** A container host in memory, for tests. */
export {
  type ContainerBehaviour,
  type ContainerRun,
  crashLoop,
  type ExecResult,
  type ImageScript,
  type Measured,
  type PullScript,
} from "./behaviour.ts";
export {
  type FakeContainer,
  FakeMachine,
  type FakeMachineOptions,
  type FakeSandbox,
} from "./fake_machine.ts";
