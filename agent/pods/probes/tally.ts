import type { ProbeOutcome } from "./outcome.ts";
import { PROBE_KINDS, type ProbeKind } from "./spec.ts";

const RESULT = {
  success: "successful",
  warning: "successful",
  failure: "failed",
  error: "unknown",
  away: "unknown",
} as const satisfies Record<ProbeOutcome["result"], string>;

/** How often the probes of a container came to what, in a kubelet's words. */
export interface ProbeCount {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
  readonly kind: ProbeKind;
  readonly result: typeof RESULT[ProbeOutcome["result"]];
  readonly count: number;
}

/** Whose probes are counted. */
export type Probed = Pick<ProbeCount, "namespace" | "pod" | "uid" | "container">;

/** Counts answers to the probes of one container, through all its runs. */
export class Tally {
  readonly #of: Probed;
  readonly #counts = new Map<ProbeKind, Map<ProbeCount["result"], number>>();

  constructor(of: Probed) {
    this.#of = of;
  }

  add(kind: ProbeKind, { result }: ProbeOutcome): void {
    const counts = this.#counts.get(kind) ?? new Map<ProbeCount["result"], number>();
    this.#counts.set(kind, counts);
    const word = RESULT[result];
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }

  /** What was counted, in the order of the kinds. */
  list(): ProbeCount[] {
    return PROBE_KINDS.flatMap((kind) =>
      [...this.#counts.get(kind) ?? []].map(([result, count]) => ({
        ...this.#of,
        kind,
        result,
        count,
      }))
    );
  }
}
