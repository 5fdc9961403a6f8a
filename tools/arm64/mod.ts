/** The arm64 kit: runs the arm64 build of Deno on this machine, under qemu's user mode. */
export { type Arm64, ensureArm64 } from "./kit.ts";
