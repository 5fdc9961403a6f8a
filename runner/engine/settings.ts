import { type Bytes, bytes, kib, mib } from "../../core/base/mod.ts";

/** How an engine is made. Everything that decides whether a compiled module fits is in here. */
export interface EngineSettings {
  /** `pooling`: memory slots set aside once and reused; `on-demand`: mapped anew for each instance. */
  readonly allocation: "pooling" | "on-demand";
  /** Largest linear memory of an instance; also the address space set aside for each. */
  readonly maxMemory: Bytes;
  /** Instances at once. Address space of the pool is `slots * maxMemory`. */
  readonly slots: number;
  /** Bytes of a memory slot that are zeroed by hand on reuse instead of given back to the kernel. */
  readonly keepResident: Bytes;
  /** Slots that keep their pages while unused. */
  readonly warmSlots: number;
  /** Stack of a guest. */
  readonly maxStack: Bytes;
}

/**
 * The default settings: at most 64 MiB a function and 64 instances, so 4 GiB of address space,
 * which fits the 39 bits of small ARM boards (wasmtime's own default of about 6 TiB does not).
 */
export const DEFAULT_SETTINGS: EngineSettings = {
  allocation: "pooling",
  maxMemory: mib(64),
  slots: 64,
  keepResident: kib(64),
  warmSlots: 16,
  maxStack: kib(512),
};

/** The settings to try in order: as asked, then smaller ones, for machines with little address space. */
export function settingsToTry(wanted: EngineSettings): EngineSettings[] {
  return wanted.allocation === "on-demand" ? [wanted] : [
    wanted,
    { ...wanted, slots: Math.min(wanted.slots, 16), warmSlots: 4 },
    { ...wanted, allocation: "on-demand" },
    { ...wanted, allocation: "on-demand", maxMemory: bytes(Math.min(wanted.maxMemory, mib(16))) },
  ];
}
