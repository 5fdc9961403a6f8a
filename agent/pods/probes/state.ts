import { type Ms, ms } from "../../../core/base/mod.ts";
import type { ProbeView } from "../policy/plan.ts";
import { type ContainerProbes, PROBE_KINDS, type ProbeKind, type ProbeSpec } from "./spec.ts";

/**
 * Questions that come again meet on this grid, so that the probes of many pods share a wake-up of
 * the process: each costs as much as several questions.
 */
const GRID = ms(250);

/** How one probe of one run of a container stands. */
export interface ProbeState {
  /** What holds since a threshold was reached last. */
  readonly verdict: "unknown" | "success" | "failure";
  /** The last answer, and how often in a row. */
  readonly last?: boolean;
  readonly count: number;
  /** When to ask next, by the monotonic clock, if it is to be asked at all. */
  readonly due: Ms;
  /** What the answer said that made the verdict a failure. */
  readonly message?: string;
}

/** How the probes of one run of a container stand. */
export interface RunState {
  readonly containerId: string;
  /** The pod is to end: what restarts a container is asked no more. */
  readonly ending: boolean;
  readonly probes: Readonly<Partial<Record<ProbeKind, ProbeState>>>;
}

/** What is known of a run when its probes begin. */
export interface RunStart {
  readonly containerId: string;
  readonly ending: boolean;
  /** How long it has been running. */
  readonly age: Ms;
  /** What was reported of this very run before, by an agent that has been restarted since. */
  readonly known?: { readonly started: boolean; readonly ready: boolean };
  /** A share of the first period to wait, so that not all probes of a node run at once. */
  readonly jitter: (kind: ProbeKind) => number;
  readonly now: Ms;
}

/** The state of a run that was not asked yet. */
export function beginRun(specs: ContainerProbes, start: RunStart): RunState {
  const { containerId, ending, known, now } = start;
  const probes: Partial<Record<ProbeKind, ProbeState>> = {};
  for (const kind of PROBE_KINDS) {
    const spec = specs[kind];
    if (!spec) continue;
    // A clock that was set back makes a run seem younger than none.
    const delay = Math.min(spec.initialDelay, Math.max(0, spec.initialDelay - start.age));
    const good = kind === "startup" ? known?.started : kind === "readiness" && known?.ready;
    const jitter = spec.period * start.jitter(kind);
    probes[kind] = {
      verdict: good ? "success" : "unknown",
      count: 0,
      due: ms(jitter > 0 ? onGrid(now + delay + jitter) : now + delay),
    };
  }
  return { containerId, ending, probes };
}

/** When a probe is to be asked next; `undefined` while it is not to be asked. */
export function probeDue(state: RunState, kind: ProbeKind): Ms | undefined {
  const probe = state.probes[kind];
  if (!probe) return undefined;
  const restarting = kind !== "readiness";
  // Until there is a new run, the old one is not asked again whether it wants to be ended.
  if (restarting && (state.ending || probe.verdict === "failure")) return undefined;
  const started = isStarted(state);
  return (kind === "startup" ? !started : started) ? probe.due : undefined;
}

/** One answer: whether the container was well, or nothing when it could not be asked. */
export interface ProbeAnswer {
  readonly well: boolean | undefined;
  readonly message: string;
  /** When it was asked, by the monotonic clock. */
  readonly began: Ms;
  readonly now: Ms;
}

/** The state after one answer. One that says nothing changes only when to ask again. */
export function takeAnswer(
  state: RunState,
  which: { readonly kind: ProbeKind; readonly spec: ProbeSpec },
  answer: ProbeAnswer,
): RunState {
  const { kind, spec } = which;
  const before = state.probes[kind];
  if (!before) return state;
  const due = ms(Math.max(answer.now, onGrid(answer.began + spec.period)));
  return {
    ...state,
    probes: { ...state.probes, [kind]: { ...judge(before, spec, answer), due } },
  };
}

/** The nearest: a question that was asked a little late does not push the next one on. */
function onGrid(at: number): number {
  return Math.round(at / GRID) * GRID;
}

function judge(before: ProbeState, spec: ProbeSpec, answer: ProbeAnswer): ProbeState {
  const { well } = answer;
  if (well === undefined) return before;
  const count = before.last === well ? before.count + 1 : 1;
  const { message: old, ...rest } = before;
  const next = { ...rest, last: well, count };
  if (count < (well ? spec.successThreshold : spec.failureThreshold)) {
    return { ...next, ...(old === undefined ? {} : { message: old }) };
  }
  return well
    ? { ...next, verdict: "success" }
    : { ...next, verdict: "failure", message: answer.message };
}

/** What policy is told of the run. */
export function probeView(state: RunState): ProbeView {
  const started = isStarted(state);
  const { readiness } = state.probes;
  const unhealthy = unhealthyOf(state);
  return {
    containerId: state.containerId,
    started,
    ready: started && (!readiness || readiness.verdict === "success"),
    ...(unhealthy ? { unhealthy } : {}),
  };
}

function isStarted({ probes: { startup } }: RunState): boolean {
  return !startup || startup.verdict === "success";
}

function unhealthyOf(state: RunState): ProbeView["unhealthy"] {
  if (state.ending) return undefined;
  for (const probe of ["startup", "liveness"] as const) {
    const one = state.probes[probe];
    if (one?.verdict === "failure") return { probe, message: one.message ?? "" };
  }
  return undefined;
}
