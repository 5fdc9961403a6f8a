import type { Node, Taint } from "../../core/api/mod.ts";
import { AppError, isLabelKey, isLabelValue } from "../../core/base/mod.ts";

const EFFECTS: readonly Taint["effect"][] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/**
 * The taints of `--register-with-taints`, each `KEY=VALUE:EFFECT` or `KEY:EFFECT`, as a kubelet
 * reads them.
 *
 * @throws {AppError} BadRequest naming the one that cannot be read
 */
export function parseTaints(texts: readonly string[]): Taint[] {
  const taints: Taint[] = [];
  for (const text of texts) {
    const taint = parseTaint(text);
    if (taints.some((other) => isSame(other, taint))) {
      throw unreadable(text, "there is one with this key and effect already");
    }
    taints.push(taint);
  }
  return taints;
}

function parseTaint(text: string): Taint {
  const colon = text.lastIndexOf(":");
  const effect = EFFECTS.find((one) => one === text.slice(colon + 1));
  if (colon < 0 || !effect) {
    throw unreadable(
      text,
      `must be KEY[=VALUE]:EFFECT, and the effect is one of ${EFFECTS.join(", ")}: say e.g. ` +
        "example.com/plant=a:NoSchedule",
    );
  }
  const word = text.slice(0, colon);
  const equals = word.indexOf("=");
  const key = equals < 0 ? word : word.slice(0, equals);
  const value = equals < 0 ? "" : word.slice(equals + 1);
  if (!isLabelKey(key)) throw unreadable(text, `"${key}" is not the key of a taint`);
  if (!isLabelValue(value)) throw unreadable(text, `"${value}" is not the value of a taint`);
  return { key, ...(value === "" ? {} : { value }), effect };
}

function unreadable(text: string, why: string): AppError {
  return new AppError("BadRequest", `--register-with-taints=${text}: ${why}`);
}

/** The node with `taints` beside those that it has. */
export function withTaints(node: Node, taints: readonly Taint[]): Node {
  const own = node.spec?.taints ?? [];
  const missing = taints.filter((taint) => !own.some((other) => isSame(other, taint)));
  return missing.length === 0
    ? node
    : { ...node, spec: { ...node.spec, taints: [...own, ...missing] } };
}

function isSame(one: Taint, other: Taint): boolean {
  return one.key === other.key && one.effect === other.effect;
}
