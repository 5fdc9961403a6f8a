import { type Clock, type Ms, ms, seconds, SharedRead, sleep } from "../../core/base/mod.ts";
import type { ContainerUsage, Runtime } from "../runtimes/mod.ts";
import type { MachineUsage } from "./machine.ts";

/** What node and containers used, at one time. */
export interface Sample {
  readonly machine: MachineUsage;
  readonly containers: readonly ContainerUsage[];
}

/** Two samples, to take rates of. */
export interface SamplePair {
  readonly newest: Sample;
  readonly before: Sample;
}

/** Options of {@linkcode Sampler}. */
export interface SamplerOptions {
  /** Absent on a node without a container runtime. */
  readonly runtime?: Runtime | undefined;
  readonly readMachine: () => MachineUsage;
  readonly clock: Clock;
}

/** At most one measurement in this time; the shortest that a rate is taken over. */
const GAP = seconds(1);
/** A little longer, for timers that fire early. */
const WAIT = ms(GAP + 50);
/** The longest that a rate is taken over. */
const STALE = seconds(60);

/** Measures when somebody asks, and keeps the last two samples. */
export class Sampler {
  readonly #clock: Clock;
  readonly #shared: SharedRead<Sample>;
  #newest: Sample | undefined;
  #before: Sample | undefined;

  constructor({ runtime, readMachine, clock }: SamplerOptions) {
    this.#clock = clock;
    this.#shared = new SharedRead({
      clock,
      maxAge: GAP,
      read: async (signal) => {
        const containers = await runtime?.containerUsage(signal) ?? [];
        this.#before = this.#newest;
        return this.#newest = { containers, machine: readMachine() };
      },
    });
  }

  /** What is used now, not older than a second. */
  sample(signal: AbortSignal): Promise<Sample> {
    return this.#shared.get(signal);
  }

  /**
   * Two samples at least a second apart. Takes a second where the last one before is older than a
   * minute, or does not have a container that runs now.
   */
  async pair(signal: AbortSignal): Promise<SamplePair> {
    const newest = await this.sample(signal);
    const before = this.#before;
    if (before && isComparable(before, newest)) return { before, newest };
    await sleep(this.#clock, WAIT, signal);
    const second = await this.sample(signal);
    return { before: this.#before ?? newest, newest: second };
  }
}

function isComparable(before: Sample, newest: Sample): boolean {
  const window = windowOf({ before, newest });
  const known = new Set(before.containers.map(({ id }) => id));
  // The clock may have been set back in between.
  return window > 0 && window <= STALE &&
    newest.containers.every(({ id }) => known.has(id));
}

/** The time that the rates of a pair are taken over. */
export function windowOf({ before, newest }: SamplePair): Ms {
  return ms(newest.machine.at - before.machine.at);
}

/** Nanocores between two readings; `undefined` when they are none of one running thing in order. */
export function nanoCores(
  before: { readonly at: Ms; readonly cpuNanos: number } | undefined,
  newest: { readonly at: Ms; readonly cpuNanos: number },
): number | undefined {
  if (!before || newest.at <= before.at || newest.cpuNanos < before.cpuNanos) return undefined;
  return Math.round((newest.cpuNanos - before.cpuNanos) / (newest.at - before.at) * 1000);
}
