import { type Pod, type Taint, tolerates } from "../../../core/api/mod.ts";
import { fromTime, type Ms, ms } from "../../../core/base/mod.ts";
import { OF_THE_HUB } from "./admission.ts";

/**
 * When a pod that runs here is to end because of the node's `NoExecute` taints; `undefined` for
 * never. The hub deletes such a pod when its time has come; the node ends it as well, so that it
 * ends in time while nobody hears the hub. Taints about not hearing the node mean nothing to it.
 */
export function taintEndsAt(
  pod: Pod,
  taints: readonly Taint[],
  now: Ms,
): Ms | undefined {
  let at = Infinity;
  for (const taint of taints) {
    if (taint.effect !== "NoExecute" || OF_THE_HUB.has(taint.key)) continue;
    const matching = (pod.spec.tolerations ?? []).filter((one) => tolerates([one], taint));
    const limits = matching.map(({ tolerationSeconds }) => tolerationSeconds)
      .filter((one) => one !== undefined && one !== null);
    if (matching.length > 0 && limits.length === 0) continue;
    const since = fromTime(taint.timeAdded) ?? now;
    const wait = matching.length === 0 ? 0 : Math.max(0, Math.min(...limits));
    at = Math.min(at, since + wait * 1000);
  }
  return at === Infinity ? undefined : ms(at);
}
