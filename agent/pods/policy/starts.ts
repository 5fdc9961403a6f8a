import type { EphemeralContainer } from "../../../core/api/mod.ts";
import { ms, seconds } from "../../../core/base/mod.ts";
import { type Draft, note, tellOnce } from "./draft.ts";
import { withContainer } from "./memory.ts";
import type { Action } from "./plan.ts";
import { configProblem, pullSecretProblem, volumeProblem } from "./problems.ts";
import { fieldPathOf, type PodContainer, waitingReason } from "./roles.ts";
import type { Judged, Verdict } from "./verdict.ts";
import { currentOf, isLive, readySandbox } from "./view.ts";

/** A container that was judged, and is to start when its verdict says so. */
export type Target = PodContainer & Judged;

/** Shown while an image that failed shortly before is named by its error and not by the wait. */
const FRESH = seconds(3);

/** Plans the starts: volumes, sandbox and images side by side, then the containers in order. */
export function start(draft: Draft, targets: readonly Target[], blocked: boolean): void {
  const { env, view } = draft;
  const ready = readySandbox(view);
  const trouble = env.mounted ? undefined : refreshVolumes(draft);
  const message = ready || blocked || trouble !== undefined ? trouble : runSandbox(draft);
  for (const target of targets) {
    const { container: { name } } = target;
    const wait = imageWait(draft, target) ?? (ready ? configWait(draft, target) : undefined);
    const creating = { reason: waitingReason(draft.pod), ...(message ? { message } : {}) };
    draft.verdicts.set(name, wait ?? { kind: "wait", ...creating });
    const present = env.images[name]?.state === "present";
    if (wait || !ready || blocked || !env.mounted || !present) continue;
    draft.actions.push(startAction(draft, target, ready.id));
  }
}

/** Plans a sandbox, unless the last one failed shortly before: then returns why. */
function runSandbox(draft: Draft): string | undefined {
  const { sandboxFailure: failure, sandboxAttempt: attempt } = draft.memory;
  if (!failure || failure.until <= draft.now) {
    draft.actions.push({ type: "run-sandbox", attempt });
    return undefined;
  }
  note(draft, failure.until);
  return failure.message;
}

function startAction(draft: Draft, target: Target, sandboxId: string): Action {
  const { container, part, verdict } = target;
  const created = verdict.kind === "start" && verdict.sandboxId === sandboxId
    ? verdict.containerId
    : undefined;
  if (created === undefined) {
    // Before it is made: whatever the spec says by the time it runs, this is what it was given.
    const resources = container.resources ?? {};
    draft.memory = withContainer(draft.memory, container.name, { ...part, resources });
  }
  const targetId = targetOf(draft, target);
  return {
    type: "start",
    container: container.name,
    attempt: part.attempt,
    sandboxId,
    ...(created ? { containerId: created } : {}),
    ...(targetId ? { targetId } : {}),
  };
}

/** The running container whose processes a debugger is to see. */
function targetOf(draft: Draft, { container }: Target): string | undefined {
  const { targetContainerName: name } = container as EphemeralContainer;
  const current = name ? currentOf(draft.view, name) : undefined;
  return current && isLive(current) ? current.id : undefined;
}

/** Plans that the volumes are written, unless that cannot be done now: then returns why. */
export function refreshVolumes(draft: Draft): string | undefined {
  const { memory, now } = draft;
  const problem = volumeProblem(draft.pod, draft.env.objects);
  if (problem) {
    const event = { type: "Warning", reason: "FailedMount", message: problem } as const;
    tellOnce(draft, `mount:${problem}`, event);
    return problem;
  }
  if (memory.volumeFailure && memory.volumeFailure.until > now) {
    note(draft, memory.volumeFailure.until);
    return memory.volumeFailure.message;
  }
  draft.actions.push({ type: "mount" });
  return undefined;
}

function imageWait(draft: Draft, { container, part }: Target): Verdict | undefined {
  const image = draft.env.images[container.name] ?? { state: "unknown" };
  // Before `at`, the clock was set back, and `until` may be far away.
  const due = image.state === "failed" && (image.until <= draft.now || draft.now < image.at);
  if (image.state === "unknown" || due) {
    tellPullSecrets(draft);
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
    message: `Back-off pulling image "${container.image}": ErrImagePull: ${image.message}`,
  };
}

function tellPullSecrets(draft: Draft): void {
  const message = pullSecretProblem(draft.pod, draft.env.objects);
  if (message === undefined) return;
  const reason = "FailedToRetrieveImagePullSecret";
  tellOnce(draft, `pull:${message}`, { type: "Warning", reason, message });
}

function configWait(draft: Draft, target: Target): Verdict | undefined {
  const { container } = target;
  const problem = targetProblem(draft, target) ?? configProblem(draft.pod, container, {
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
    fieldPath: fieldPathOf(target),
  });
  return { kind: "wait", reason: "CreateContainerConfigError", message: problem };
}

function targetProblem(draft: Draft, target: Target): string | undefined {
  const { targetContainerName: name } = target.container as EphemeralContainer;
  if (target.role !== "debug" || !name || targetOf(draft, target)) return undefined;
  return `target container "${name}" does not run`;
}
