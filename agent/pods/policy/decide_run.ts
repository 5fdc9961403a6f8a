import type { Container } from "../../../core/api/mod.ts";
import { ms, seconds } from "../../../core/base/mod.ts";
import { nextRun } from "./backoff.ts";
import { configProblem, volumeProblem } from "./problems.ts";
import { type Draft, note, tellOnce } from "./draft.ts";
import { stopAction } from "./ending.ts";
import { clearLeftovers } from "./leftovers.ts";
import type { ObservedContainer } from "../../runtimes/mod.ts";
import { type ContainerMemory, containerMemory, FIRST_RUN, withContainer } from "./memory.ts";
import { judge, type Judged, type Verdict } from "./verdict.ts";
import { currentOf, readySandbox } from "./view.ts";

/** Shown while an image that failed shortly before is named by its error and not by the wait. */
const FRESH = seconds(3);

/** Moves a pod that is to run: judges its containers and plans what the next step needs. */
export function advance(draft: Draft): void {
  const blocked = clearLeftovers(draft);
  const mains = draft.pod.spec.containers.map((container) => ({
    container,
    ...judgeOne(draft, container, { init: false }),
  }));
  for (const { container, part, verdict } of mains) {
    keep(draft, container, part, verdict);
    if (verdict.kind === "running") followImage(draft, container, verdict.container);
  }
  if (mains.every(({ verdict }) => verdict.kind === "done")) {
    const failed = mains.some(({ verdict }) => verdict.kind === "done" && verdict.exit.exitCode);
    draft.memory = { ...draft.memory, phase: failed ? "Failed" : "Succeeded" };
    return;
  }
  const due = mains.filter(({ verdict }) => verdict.kind === "start");
  const live = mains.some(({ verdict }) => verdict.kind === "running");
  const gate = gateOf(draft, { live, due: due.length > 0 });
  if (gate === "failed") {
    draft.memory = { ...draft.memory, phase: "Failed" };
    return;
  }
  if (gate) {
    for (const { container } of due) {
      draft.verdicts.set(container.name, { kind: "wait", reason: "PodInitializing" });
    }
  }
  const targets = gate ? [gate] : due;
  const starting = targets.filter(({ verdict }) => verdict.kind === "start");
  if (starting.length > 0) start(draft, starting, blocked);
  else if (live && !draft.env.mounted) refreshVolumes(draft);
}

interface Target {
  readonly container: Container;
  readonly part: ContainerMemory;
  readonly verdict: Verdict;
}

function judgeOne(draft: Draft, container: Container, options: { init: boolean }): Judged {
  const { pod, view, now, memory } = draft;
  const part = containerMemory(memory, container.name) ?? FIRST_RUN;
  const current = currentOf(view, container.name);
  const judged = judge({ pod, name: container.name, part, current, now, ...options });
  announce(draft, container, judged);
  return judged;
}

/**
 * A pod's image is the one thing of a container that may be changed while it runs: the container
 * is stopped, and its restart takes the new one. Where the pod would not restart it, that is said.
 */
function followImage(draft: Draft, container: Container, current: ObservedContainer): void {
  if (current.image === container.image || current.state !== "running") return;
  const { name, image } = container;
  const fieldPath = `spec.containers{${name}}`;
  if ((draft.pod.spec.restartPolicy ?? "Always") !== "Always") {
    const message = `Container ${name} keeps running its old image: its restartPolicy would end it`;
    const event = { type: "Warning", reason: "ImageNotChanged", message, fieldPath } as const;
    return tellOnce(draft, `image:${name}:${image}`, event);
  }
  const { now, env, memory } = draft;
  const deadline = ms(now + memory.grace);
  const stop = stopAction(current, { deadline, now, stopping: env.stopping });
  if (!stop) return;
  draft.actions.push(stop);
  const message = `Container ${name} definition changed, will be restarted`;
  draft.events.push({ type: "Normal", reason: "Killing", message, fieldPath });
}

/** Tells of a crash loop once for every exit. */
function announce(draft: Draft, container: Container, { verdict, part }: Judged): void {
  if (verdict.kind !== "wait" || verdict.reason !== "CrashLoopBackOff" || !part.exit) return;
  if (containerMemory(draft.before, container.name)?.exit?.id === part.exit.id) return;
  const { name, namespace = "default", uid } = draft.pod.metadata;
  draft.events.push({
    type: "Warning",
    reason: "BackOff",
    message:
      `Back-off restarting failed container ${container.name} in pod ${name}_${namespace}(${uid})`,
    fieldPath: `spec.containers{${container.name}}`,
  });
}

function keep(draft: Draft, container: Container, part: ContainerMemory, verdict: Verdict): void {
  draft.memory = withContainer(draft.memory, container.name, part);
  draft.verdicts.set(container.name, verdict);
  if (verdict.kind === "wait") note(draft, verdict.until);
}

/**
 * The first init container that has not succeeded in the present sandbox, `failed` when it never
 * will, `undefined` when the containers may start.
 */
function gateOf(
  draft: Draft,
  state: { readonly live: boolean; readonly due: boolean },
): Target | "failed" | undefined {
  const attempt = readySandbox(draft.view)?.attempt;
  let gate: Target | "failed" | undefined;
  for (const container of draft.pod.spec.initContainers ?? []) {
    const part = containerMemory(draft.memory, container.name) ?? FIRST_RUN;
    if (gate) {
      keep(draft, container, part, { kind: "wait", reason: "PodInitializing" });
    } else if (
      part.exit?.exitCode === 0 && (state.live || !state.due || part.doneFor === attempt)
    ) {
      keep(draft, container, part, { kind: "done", exit: part.exit });
    } else if (state.live || !state.due) {
      keep(draft, container, part, { kind: "wait", reason: "PodInitializing" });
    } else if (part.exit?.exitCode === 0) {
      // The sandbox it prepared is gone: it runs again for the new one, without a back-off.
      const { delay, raisedAt } = part;
      const again = { ...nextRun(part, draft.now), delay };
      gate = {
        container,
        part: { ...again, ...(raisedAt ? { raisedAt } : {}) },
        verdict: { kind: "start" },
      };
      keep(draft, container, gate.part, gate.verdict);
    } else {
      const judged = judgeOne(draft, container, { init: true });
      keep(draft, container, judged.part, judged.verdict);
      gate = judged.verdict.kind === "done" ? "failed" : { container, ...judged };
    }
  }
  return gate;
}

function refreshVolumes(draft: Draft): string | undefined {
  const { memory, now } = draft;
  const problem = volumeProblem(draft.pod, draft.env.objects);
  if (problem) {
    tellOnce(draft, `mount:${problem}`, {
      type: "Warning",
      reason: "FailedMount",
      message: problem,
    });
    return problem;
  }
  if (memory.volumeFailure && memory.volumeFailure.until > now) {
    note(draft, memory.volumeFailure.until);
    return memory.volumeFailure.message;
  }
  draft.actions.push({ type: "mount" });
  return undefined;
}

/** Plans the starts: volumes, sandbox and images side by side, then the containers in order. */
function start(draft: Draft, targets: readonly Target[], blocked: boolean): void {
  const { env, memory, view, now } = draft;
  const ready = readySandbox(view);
  const trouble = env.mounted ? undefined : refreshVolumes(draft);
  let message = trouble;
  if (!ready && !blocked && trouble === undefined) {
    const failure = memory.sandboxFailure;
    if (failure && failure.until > now) {
      note(draft, failure.until);
      message = failure.message;
    } else {
      draft.actions.push({ type: "run-sandbox", attempt: memory.sandboxAttempt });
    }
  }
  for (const target of targets) {
    const wait = imageWait(draft, target) ?? (ready ? configWait(draft, target) : undefined);
    const { container, part, verdict } = target;
    draft.verdicts.set(
      container.name,
      wait ?? { kind: "wait", reason: "ContainerCreating", ...(message ? { message } : {}) },
    );
    const image = env.images[container.name];
    if (wait || !ready || blocked || !env.mounted || image?.state !== "present") continue;
    const created = verdict.kind === "start" && verdict.sandboxId === ready.id
      ? verdict.containerId
      : undefined;
    draft.actions.push({
      type: "start",
      container: container.name,
      attempt: part.attempt,
      sandboxId: ready.id,
      ...(created ? { containerId: created } : {}),
    });
  }
}

function imageWait(draft: Draft, { container, part }: Target): Verdict | undefined {
  const image = draft.env.images[container.name] ?? { state: "unknown" };
  // Before `at`, the clock was set back, and `until` may be far away.
  const due = image.state === "failed" && (image.until <= draft.now || draft.now < image.at);
  if (image.state === "unknown" || due) {
    draft.actions.push({ type: "image", container: container.name, attempt: part.attempt });
    return undefined;
  }
  if (image.state !== "failed") return undefined;
  const pull = image.reason === "ErrImagePull";
  const fresh = draft.now < image.at + FRESH;
  note(draft, pull && fresh ? ms(image.at + FRESH) : image.until);
  if (!pull || fresh) return { kind: "wait", reason: image.reason, message: image.message };
  return {
    kind: "wait",
    reason: "ImagePullBackOff",
    message: `Back-off pulling image "${container.image}": ${image.message}`,
  };
}

function configWait(draft: Draft, { container }: Target): Verdict | undefined {
  const problem = configProblem(draft.pod, container, {
    node: draft.env.node,
    objects: draft.env.objects,
    ips: draft.memory.ips,
    image: draft.env.images[container.name],
  });
  if (!problem) return undefined;
  tellOnce(draft, `config:${container.name}:${problem}`, {
    type: "Warning",
    reason: "Failed",
    message: `Error: ${problem}`,
    fieldPath: `spec.containers{${container.name}}`,
  });
  return { kind: "wait", reason: "CreateContainerConfigError", message: problem };
}
