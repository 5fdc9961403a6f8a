import { cpus } from "node:os";
import { type Bytes, bytes, type Clock, type Ms } from "../../core/base/mod.ts";

/** What the whole machine uses, every process of it. */
export interface MachineUsage {
  readonly at: Ms;
  /** Core nanoseconds since boot that were not idle. */
  readonly cpuNanos: number;
  readonly memory: Bytes;
  /** Could be had without swapping. */
  readonly memoryAvailable: Bytes;
  readonly memoryFree: Bytes;
}

/**
 * Reads the machine's counters. The agent may not read `/proc`; with `sys` permission for `cpus` Deno
 * reads the times of `/proc/stat` for it, which count from boot in steps of 10 ms. Time that a
 * hypervisor took away is left out.
 */
export function readMachine(clock: Clock): MachineUsage {
  const busy = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys, 0);
  const memory = Deno.systemMemoryInfo();
  return {
    at: clock.now(),
    cpuNanos: busy * 1e6,
    memory: bytes(memory.total),
    memoryAvailable: bytes(memory.available),
    memoryFree: bytes(memory.free),
  };
}
