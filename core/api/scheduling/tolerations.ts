import type { Taint } from "../node.ts";
import type { Toleration } from "../pod.ts";

/** Whether one of `tolerations` tolerates `taint`. Source: `v1helper.TolerationsTolerateTaint`. */
export function tolerates(tolerations: readonly Toleration[] | undefined, taint: Taint): boolean {
  return (tolerations ?? []).some((toleration) => {
    if (toleration.effect && toleration.effect !== taint.effect) return false;
    if (toleration.key && toleration.key !== taint.key) return false;
    // An empty key with `Exists` tolerates everything; with `Equal` it is invalid and does nothing.
    if (toleration.operator === "Exists") return true;
    return Boolean(toleration.key) && (toleration.value ?? "") === (taint.value ?? "");
  });
}

/** The first taint with one of `effects` that nothing tolerates. */
export function untolerated(
  options: {
    taints: readonly Taint[];
    tolerations: readonly Toleration[] | undefined;
    effects: readonly Taint["effect"][];
  },
): Taint | undefined {
  const { taints, tolerations, effects } = options;
  return taints.find((taint) => effects.includes(taint.effect) && !tolerates(tolerations, taint));
}
