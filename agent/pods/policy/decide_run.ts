import { clearLeftovers } from "./leftovers.ts";
import { type Draft, tellOnce } from "./draft.ts";
import { setFinish } from "./finish.ts";
import { walkInits } from "./inits.ts";
import { fieldPathOf, waitingReason } from "./roles.ts";
import { refreshVolumes, start, type Target } from "./starts.ts";
import { debuggerRefusals, refusalText } from "./support.ts";
import { awaitsPostStart, tend } from "./tend.ts";
import { readySandbox } from "./view.ts";

/** Moves a pod that is to run: judges its containers and plans what the next step needs. */
export function advance(draft: Draft): void {
  const blocked = clearLeftovers(draft);
  const mains = draft.pod.spec.containers.map((container) =>
    tend(draft, { container, role: "main" })
  );
  if (mains.every(({ verdict }) => verdict.kind === "done")) {
    const failed = mains.some(({ verdict }) => verdict.kind === "done" && verdict.exit.exitCode);
    return setFinish(draft, { phase: failed ? "Failed" : "Succeeded" });
  }
  const due = mains.filter(({ verdict }) => verdict.kind === "start");
  const live = mains.some(({ verdict }) => verdict.kind === "running");
  const inits = walkInits(draft, { live, due: due.length > 0 });
  if (inits.failed) return setFinish(draft, { phase: "Failed" });
  const targets = [
    ...inits.due,
    ...(inits.open ? inOrder(draft, mains) : holdBack(draft, due)),
    ...debuggers(draft),
  ];
  if (targets.length > 0) start(draft, targets, blocked);
  else if (!draft.env.mounted && draft.view.containers.some((one) => one.state === "running")) {
    refreshVolumes(draft);
  }
}

/** Mains that may start now: each waits until the `postStart` hooks of those before it are over. */
function inOrder(draft: Draft, mains: readonly Target[]): Target[] {
  const out: Target[] = [];
  let held = false;
  for (const main of mains) {
    const { verdict, container } = main;
    if (verdict.kind === "start") {
      if (held) holdBack(draft, [main]);
      else out.push(main);
    }
    held ||= (verdict.kind === "start" && container.lifecycle?.postStart !== undefined) ||
      awaitsPostStart(main);
  }
  return out;
}

function holdBack(draft: Draft, due: readonly Target[]): [] {
  const reason = waitingReason(draft.pod);
  for (const { container: { name } } of due) draft.verdicts.set(name, { kind: "wait", reason });
  return [];
}

/** Ephemeral containers that were never started. They make no sandbox of their own. */
function debuggers(draft: Draft): Target[] {
  const { pod, view } = draft;
  const out: Target[] = [];
  for (const container of pod.spec.ephemeralContainers ?? []) {
    const target = tend(draft, { container, role: "debug" });
    if (target.verdict.kind !== "start" || !readySandbox(view)) continue;
    if (!refuseDebugger(draft, target)) out.push(target);
  }
  return out;
}

/** A debugger that asks for what this node cannot do is not started; the pod goes on. */
function refuseDebugger(draft: Draft, target: Target): boolean {
  const { name } = target.container;
  const list = debuggerRefusals(draft.pod, name, draft.env.node);
  if (list.length === 0) return false;
  const reason = "UnsupportedField";
  const message = refusalText(list);
  const event = { type: "Warning", reason, message, fieldPath: fieldPathOf(target) } as const;
  tellOnce(draft, `debug:${name}`, event);
  draft.verdicts.set(name, { kind: "wait", reason, message });
  return true;
}
