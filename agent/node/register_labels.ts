import { AppError } from "../../core/base/mod.ts";
import { allowedLabels } from "../../core/sync/mod.ts";

/**
 * The labels of `--labels`, each `KEY=VALUE`; without a value it is empty.
 *
 * @throws {AppError} BadRequest naming the first that no node may set on itself, where a kubelet
 * refuses to start as well: silently left out, the pods that look for it would wait for ever
 */
export function parseLabels(texts: readonly string[]): Record<string, string> {
  const labels = Object.fromEntries(texts.map((text) => {
    const at = text.indexOf("=");
    return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
  }));
  const allowed = allowedLabels(labels);
  for (const [key, value] of Object.entries(labels)) {
    if (key in allowed) continue;
    throw new AppError(
      "BadRequest",
      `--labels=${key}=${value}: Kubernetes lets no node give itself this label: use a prefix of ` +
        `your own, such as example.com/${key.slice(key.indexOf("/") + 1)}, or say "kubectl label ` +
        `node NAME ${key}=${value}"`,
    );
  }
  return labels;
}
