/** A bench for tests of the pods room, on any runtime. */
export {
  type BenchOptions,
  type PodBench,
  startBench,
  TEST_FACTS,
  TEST_NODE,
  testPod,
} from "./bench.ts";
export { type CrashRun, type DeadlyCall, everywhere } from "./crash.ts";
export { otherRuntime } from "./other_runtime.ts";
export { type StrayWatch, watchStrays } from "./strays.ts";
export { type Fate, World } from "./world.ts";
