import type { Container, Pod } from "../../../core/api/mod.ts";
import { type Clock, type Ms, ms, type Random } from "../../../core/base/mod.ts";
import type { ObservedContainer, Runtime } from "../../runtimes/mod.ts";
import { addressOf, changedView, reportedOf, wellOf } from "./facts.ts";
import type { PodEvent, PodView, ProbeView } from "../policy/plan.ts";
import { currentOf } from "../policy/view.ts";
import { Asker, type PodAddress } from "./asker.ts";
import type { ProbeOutcome } from "./outcome.ts";
import { type ContainerProbes, PROBE_KINDS, type ProbeKind, probesOf } from "./spec.ts";
import { beginRun, probeDue, probeView, type RunState, takeAnswer } from "./state.ts";
import { type ProbeCount, type Probed, Tally } from "./tally.ts";
import { probeEvent, Voice } from "./voice.ts";

/** Options of {@linkcode Prober}. */
export interface ProberOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly random: Random;
  /** Told when what the probes say of a pod has changed. */
  readonly changed: (uid: string) => void;
  readonly event: (uid: string, event: PodEvent) => void;
}

/** One run of one container. */
interface Run {
  readonly uid: string;
  readonly fieldPath: string;
  readonly specs: ContainerProbes;
  readonly asking: Set<ProbeKind>;
  readonly voices: Map<ProbeKind, Voice>;
  readonly tally: Tally;
  readonly stop: AbortController;
  address: PodAddress;
  state: RunState;
}

/** Questions at once: a command starts a process, a connection costs next to nothing. */
const LANES = { exec: 8, net: 32 };
type Lane = keyof typeof LANES;

/**
 * Asks the containers of all pods how they are, each probe in its time, with one timer for all.
 * It knows a run from {@linkcode Prober.follow} until that shows the run no more.
 */
export class Prober implements AsyncDisposable {
  readonly #options: ProberOptions;
  readonly #asker: Asker;
  readonly #began: Ms;
  /** By pod UID, then by container name. */
  readonly #pods = new Map<string, Map<string, Run>>();
  /** By pod UID, then by container name. */
  readonly #tallies = new Map<string, Map<string, Tally>>();
  readonly #running = new Set<Promise<void>>();
  readonly #busy: Record<Lane, number> = { exec: 0, net: 0 };
  /** Some are due and wait for others to end. */
  #queued = false;
  #timer: { readonly at: Ms; readonly handle: Disposable } | undefined;
  #closed = false;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#asker = new Asker(options);
    this.#began = options.clock.monotonic();
  }

  /**
   * What the probes say of a pod, by container name. From now on they are run for what `view`
   * shows running, and for nothing else of this pod.
   */
  follow(
    pod: Pod,
    view: PodView,
    hostIPs: readonly string[],
  ): Record<string, ProbeView> {
    const uid = pod.metadata.uid ?? "";
    const before = this.#pods.get(uid);
    const after = new Map<string, Run>();
    for (const list of ["initContainers", "containers"] as const) {
      for (const container of pod.spec[list] ?? []) {
        const run = this.#followOne({ pod, list, container, view }, before?.get(container.name));
        if (!run) continue;
        run.address = addressOf(pod, view, hostIPs);
        after.set(container.name, run);
      }
    }
    for (const [name, run] of before ?? []) if (after.get(name) !== run) run.stop.abort();
    if (after.size > 0) this.#pods.set(uid, after);
    else this.#pods.delete(uid);
    for (const run of after.values()) this.#arm(run);
    return Object.fromEntries([...after].map(([name, run]) => [name, probeView(run.state)]));
  }

  /** Asks nothing of a pod any more. */
  drop(uid: string): void {
    for (const run of this.#pods.get(uid)?.values() ?? []) run.stop.abort();
    this.#pods.delete(uid);
    this.#tallies.delete(uid);
  }

  /** How often the probes of each pod came to what, through all runs of its containers. */
  counts(): ProbeCount[] {
    return [...this.#tallies.values()].flatMap((tallies) =>
      [...tallies.values()].flatMap((one) => one.list())
    );
  }

  /** Ends all questions and waits for them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.handle[Symbol.dispose]();
    for (const uid of [...this.#pods.keys()]) this.drop(uid);
    await Promise.allSettled([...this.#running]);
    this.#asker[Symbol.dispose]();
  }

  #followOne(
    it: { pod: Pod; list: "initContainers" | "containers"; container: Container; view: PodView },
    before: Run | undefined,
  ): Run | undefined {
    const { pod, list, container, view } = it;
    const specs = before?.specs ?? probesOf(container);
    const current = specs && currentOf(view, container.name);
    if (!specs || current?.state !== "running") return undefined;
    const ending = pod.metadata.deletionTimestamp !== undefined;
    if (before?.state.containerId === current.id) {
      if (before.state.ending !== ending) before.state = { ...before.state, ending };
      return before;
    }
    const { namespace = "", name, uid = "" } = pod.metadata;
    return {
      uid,
      fieldPath: `spec.${list}{${container.name}}`,
      specs,
      asking: new Set(),
      voices: before?.voices ?? new Map(),
      tally: this.#tallyOf({ namespace, pod: name, uid, container: container.name }),
      stop: new AbortController(),
      address: { host: "" },
      state: this.#begin(pod, specs, current, ending),
    };
  }

  #tallyOf(probed: Probed): Tally {
    const { uid, container } = probed;
    const tallies = this.#tallies.get(uid) ?? new Map<string, Tally>();
    this.#tallies.set(uid, tallies);
    const tally = tallies.get(container) ?? new Tally(probed);
    tallies.set(container, tally);
    return tally;
  }

  #begin(
    pod: Pod,
    specs: ContainerProbes,
    current: ObservedContainer,
    ending: boolean,
  ): RunState {
    const { clock, random } = this.#options;
    const now = clock.monotonic();
    const { startedAt = clock.now() } = current;
    const known = reportedOf(pod, current);
    return beginRun(specs, {
      containerId: current.id,
      ending,
      age: ms(clock.now() - startedAt),
      ...(known ? { known } : {}),
      // As the kubelet: only of an agent that started a short time ago all probes begin together.
      jitter: (kind) => now - this.#began < (specs[kind]?.period ?? 0) ? random() : 0,
      now,
    });
  }

  /** Makes sure that a run is looked at in time. */
  #arm(run: Run): void {
    for (const kind of PROBE_KINDS) {
      const due = run.asking.has(kind) ? undefined : probeDue(run.state, kind);
      if (due !== undefined) this.#wakeAt(due);
    }
  }

  #wakeAt(at: Ms): void {
    if (this.#closed || (this.#timer && this.#timer.at <= at)) return;
    this.#timer?.handle[Symbol.dispose]();
    const { clock } = this.#options;
    const delay = ms(Math.max(0, at - clock.monotonic()));
    this.#timer = { at, handle: clock.timer(delay, () => this.#look()) };
  }

  /** Asks whatever is due, the longest overdue first, as far as there is room. */
  #look(): void {
    this.#timer?.handle[Symbol.dispose]();
    this.#timer = undefined;
    this.#queued = false;
    if (this.#closed) return;
    const now = this.#options.clock.monotonic();
    const due: { run: Run; kind: ProbeKind; at: Ms }[] = [];
    for (const runs of this.#pods.values()) {
      for (const run of runs.values()) {
        for (const kind of PROBE_KINDS) {
          const at = run.asking.has(kind) ? undefined : probeDue(run.state, kind);
          if (at === undefined) continue;
          if (at <= now) due.push({ run, kind, at });
          else this.#wakeAt(at);
        }
      }
    }
    for (const { run, kind } of due.sort((a, b) => a.at - b.at)) {
      const lane = run.specs[kind]?.handler.type === "exec" ? "exec" : "net";
      if (this.#busy[lane] >= LANES[lane]) this.#queued = true;
      else this.#start(run, kind, lane);
    }
  }

  #start(run: Run, kind: ProbeKind, lane: Lane): void {
    this.#busy[lane]++;
    run.asking.add(kind);
    const work = this.#ask(run, kind).finally(() => {
      this.#busy[lane]--;
      run.asking.delete(kind);
      this.#running.delete(work);
      if (this.#queued) this.#look();
      else if (!run.stop.signal.aborted) this.#arm(run);
    });
    this.#running.add(work);
  }

  async #ask(run: Run, kind: ProbeKind): Promise<void> {
    const spec = run.specs[kind];
    if (!spec) return;
    const { clock } = this.#options;
    const began = clock.monotonic();
    const target = { containerId: run.state.containerId, address: run.address };
    let outcome: ProbeOutcome;
    try {
      outcome = await this.#asker.ask(spec, target, run.stop.signal);
    } catch {
      return; // The run has ended, or this process ends.
    }
    if (run.stop.signal.aborted) return;
    const now = clock.monotonic();
    const before = probeView(run.state);
    run.state = takeAnswer(run.state, { kind, spec }, {
      well: wellOf(outcome),
      message: outcome.output,
      began,
      now,
    });
    run.tally.add(kind, outcome);
    this.#tell(run, kind, outcome);
    if (changedView(before, probeView(run.state))) this.#options.changed(run.uid);
  }

  #tell(run: Run, kind: ProbeKind, outcome: ProbeOutcome): void {
    const event = probeEvent(kind, outcome, run.fieldPath);
    if (!event) return;
    const voice = run.voices.get(kind) ?? new Voice();
    run.voices.set(kind, voice);
    if (voice.says(event.message, this.#options.clock.monotonic())) {
      this.#options.event(run.uid, event);
    }
  }
}
