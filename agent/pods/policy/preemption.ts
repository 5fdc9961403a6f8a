import { type Pod, qosClass, requestsOf } from "../../../core/api/mod.ts";
import type { Shortage } from "./admission.ts";
import { isCritical, type IsOwn, priorityOf } from "./priority.ts";

/** How much of what is still to be freed. */
type Needs = ReadonlyMap<string, number>;

/**
 * The pods that end so that a critical one finds room: as few as may be, those that were promised
 * least first, as the kubelet chooses them (`preemption.go`). `undefined` when all together would
 * not do.
 */
export function preempt(
  input: {
    readonly pod: Pod;
    readonly others: readonly Pod[];
    readonly isOwn: IsOwn;
    readonly shortages: readonly Shortage[];
  },
): Pod[] | undefined {
  const { pod, others, isOwn } = input;
  const needs: Needs = new Map(
    input.shortages.map(({ resource, requested, used, capacity }) => [
      resource,
      requested - (capacity - used),
    ]),
  );
  const weaker = others.filter((other) =>
    (isCritical(pod, isOwn) && !isCritical(other, isOwn)) || priorityOf(pod) > priorityOf(other)
  );
  const of = (qos: string): Pod[] => weaker.filter(({ spec }) => qosClass(spec) === qos);
  const [best, burst, sure] = [of("BestEffort"), of("Burstable"), of("Guaranteed")];
  // The better a class, the less of it goes: only what the classes below it cannot give.
  const fromSure = choose(sure, left(needs, [...best, ...burst]));
  const fromBurst = fromSure && choose(burst, left(needs, [...best, ...fromSure]));
  const fromBest = fromBurst && choose(best, left(needs, [...fromBurst, ...fromSure]));
  return fromBest && [...fromBest, ...fromBurst, ...fromSure];
}

/** Takes pods whose requests come nearest to the needs until they are met. */
function choose(pods: readonly Pod[], needs: Needs): Pod[] | undefined {
  const rest = [...pods];
  const chosen: Pod[] = [];
  for (let open = needs; open.size > 0;) {
    rest.sort((a, b) => distance(open, a) - distance(open, b) || size(a) - size(b));
    const next = rest.shift();
    if (!next) return undefined;
    chosen.push(next);
    open = left(open, [next]);
  }
  return chosen;
}

/** What is still needed when `pods` are gone. */
function left(needs: Needs, pods: readonly Pod[]): Needs {
  const out = new Map<string, number>();
  for (const [resource, need] of needs) {
    const still = pods.reduce((sum, pod) => sum - freedBy(pod, resource), need);
    if (still > 0) out.set(resource, still);
  }
  return out;
}

/** How far a pod is from meeting the needs: each counts alike, whatever its amount. */
function distance(needs: Needs, pod: Pod): number {
  let sum = 0;
  for (const [resource, need] of needs) {
    const still = need - freedBy(pod, resource);
    if (still > 0) sum += (still / need) ** 2;
  }
  return sum;
}

function freedBy(pod: Pod, resource: string): number {
  return resource === "pods" ? 1 : requestsOf(pod).get(resource) ?? 0;
}

function size(pod: Pod): number {
  const requests = requestsOf(pod);
  return (requests.get("memory") ?? 0) * 1e6 + (requests.get("cpu") ?? 0);
}
