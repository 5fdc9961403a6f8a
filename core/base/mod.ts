/** The base room: errors, time, chance, logs, queues, retries and the life of a process. */
export * from "./addresses.ts";
export * from "./clock.ts";
export * from "./errors.ts";
export * from "./lifecycle.ts";
export * from "./link_signals.ts";
export * from "./log.ts";
export * from "./metrics.ts";
export * from "./names.ts";
export * from "./outage.ts";
export * from "./places.ts";
export * from "./process_metrics.ts";
export * from "./queue.ts";
export * from "./random.ts";
export * from "./retry.ts";
export * from "./shared_read.ts";
export * from "./slots.ts";
export * from "./units.ts";
