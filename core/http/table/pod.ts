import { conditionOf, isFinalPhase, type KubeObject } from "../../api/mod.ts";
import { fromTime, type Ms } from "../../base/mod.ts";
import { ageOf, humanDuration } from "./age.ts";
import { AGE, column, count, type KindTable, listOf, NAME, text } from "./columns.ts";

/** `kubectl get pods`. */
export const podTable: KindTable = {
  columns: [
    NAME,
    column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
    column("Status", "The aggregate status of the containers in this pod."),
    column("Restarts", "The number of times the containers in this pod have been restarted."),
    AGE,
    column("IP", "Address of the pod.", "wide"),
    column("Node", "The node that the pod is bound to.", "wide"),
    column("Nominated Node", "The node that a preemption is making room on.", "wide"),
    column("Readiness Gates", "Conditions beyond the containers that must be true.", "wide"),
  ],
  cells(pod, now) {
    const { status, spec, metadata } = pod;
    const { ready, total } = readiness(pod);
    return [
      metadata.name,
      `${ready}/${total}`,
      podStatusText(pod),
      restartText(pod, now),
      ageOf(metadata.creationTimestamp, now),
      text(status?.podIP, "<none>"),
      text(spec?.nodeName, "<none>"),
      text(status?.nominatedNodeName, "<none>"),
      gateText(pod),
    ];
  },
};

function sidecarsOf({ spec }: KubeObject): Set<unknown> {
  return new Set(
    listOf(spec?.initContainers).filter((one) => one.restartPolicy === "Always").map((one) =>
      one.name
    ),
  );
}

function readiness(pod: KubeObject): { ready: number; total: number } {
  const { spec, status } = pod;
  const sidecars = sidecarsOf(pod);
  const ready = listOf(status?.containerStatuses)
    .filter((one) => one.ready === true && one.state?.running).length +
    listOf(status?.initContainerStatuses)
      .filter((one) => sidecars.has(one.name) && one.ready === true).length;
  return { ready, total: listOf(spec?.containers).length + sidecars.size };
}

/** The STATUS word of a pod, by the rules of kube-apiserver's printer. */
export function podStatusText(pod: KubeObject): string {
  const { status, metadata } = pod;
  const phase = text(status?.phase, "Pending");
  let reason = text(status?.reason, phase);
  if (conditionOf(pod, "PodScheduled")?.reason === "SchedulingGated") reason = "SchedulingGated";
  const init = initReason(pod);
  if (init !== undefined) reason = init;
  if (init === undefined || conditionOf(pod, "Initialized")?.status === "True") {
    reason = containerReason(pod) ?? reason;
  }
  if (metadata.deletionTimestamp !== undefined) {
    if (status?.reason === "NodeLost") return "Unknown";
    if (!isFinalPhase(phase)) return "Terminating";
  }
  return reason;
}

function initReason(pod: KubeObject): string | undefined {
  const { spec, status } = pod;
  const containers = listOf(spec?.initContainers);
  const sidecars = sidecarsOf(pod);
  const statuses = listOf(status?.initContainerStatuses);
  for (const [index, { state, name, started }] of statuses.entries()) {
    if (state?.terminated?.exitCode === 0) continue;
    if (sidecars.has(name) && started === true) continue;
    if (state?.terminated) return `Init:${endText(state.terminated)}`;
    const waiting = text(state?.waiting?.reason);
    if (waiting !== "" && waiting !== "PodInitializing") return `Init:${waiting}`;
    return `Init:${index}/${containers.length}`;
  }
  return undefined;
}

function containerReason(pod: KubeObject): string | undefined {
  let reason: string | undefined;
  let running = false;
  for (const one of listOf(pod["status"]?.containerStatuses).reverse()) {
    const waiting = text(one.state?.waiting?.reason);
    if (waiting !== "") reason = waiting;
    else if (one.state?.terminated) reason = endText(one.state.terminated);
    else if (one.ready === true && one.state?.running) running = true;
  }
  if (reason !== "Completed" || !running) return reason;
  return conditionOf(pod, "Ready")?.status === "True" ? "Running" : "NotReady";
}

function endText(end: { reason?: unknown; signal?: unknown; exitCode?: unknown }): string {
  const reason = text(end.reason);
  if (reason !== "") return reason;
  return count(end.signal) !== 0 ? `Signal:${end.signal}` : `ExitCode:${count(end.exitCode)}`;
}

/** Init containers count until they are over; then those that run on, as kube-apiserver's printer has it. */
function restartText(pod: KubeObject, now: Ms): string {
  const { status } = pod;
  const inits = listOf(status?.initContainerStatuses);
  const sidecars = sidecarsOf(pod);
  const over = initReason(pod) === undefined || conditionOf(pod, "Initialized")?.status === "True";
  const all = over
    ? [...listOf(status?.containerStatuses), ...inits.filter(({ name }) => sidecars.has(name))]
    : inits;
  const restarts = all.reduce((sum: number, one) => sum + count(one.restartCount), 0);
  const ends = all.map((one) => fromTime(one.lastState?.terminated?.finishedAt) ?? 0);
  const last = Math.max(0, ...ends);
  return restarts > 0 && last > 0
    ? `${restarts} (${humanDuration(now - last)} ago)`
    : String(restarts);
}

function gateText(pod: KubeObject): string {
  const gates = listOf(pod["spec"]?.readinessGates);
  if (gates.length === 0) return "<none>";
  const met = gates.filter(({ conditionType }) =>
    conditionOf(pod, conditionType)?.status === "True"
  );
  return `${met.length}/${gates.length}`;
}
