/** A private containerd for tests and for hand work. */
export {
  type Containerd,
  type ContainerdOptions,
  removeContainerd,
  startContainerd,
} from "./kit.ts";
export { type CommandResult, mustRun, runCommand, waitUntil } from "./machine.ts";
export { installContainerd } from "./install.ts";
export type { ContainerdPaths } from "./config.ts";
