import { cpuUsage } from "node:process";
import type { ProcessUsage } from "../base/mod.ts";

/** What this process uses, for its metrics. Needs no permission. */
export function processUsage(): ProcessUsage {
  const { user, system } = cpuUsage();
  const { rss, heapUsed } = Deno.memoryUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    memory: rss,
    heap: heapUsed,
    startedAt: performance.timeOrigin / 1000,
  };
}
