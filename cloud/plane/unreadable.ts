import type { KubeObject } from "../../core/api/mod.ts";
import { errorText, type Logger } from "../../core/base/mod.ts";

/** Objects that are remembered; beyond that some are logged again. */
const REMEMBERED = 1000;

/** Makes a function that logs each object that cannot be read once, however often it is met. */
export function logUnreadable(log: Logger): (object: KubeObject, error: unknown) => void {
  const known = new Set<string>();
  return ({ kind, metadata }, error) => {
    const { namespace, name, uid = "" } = metadata;
    const key = `${kind} ${namespace ?? ""}/${name} ${uid}`;
    if (known.has(key)) return;
    if (known.size >= REMEMBERED) known.clear();
    known.add(key);
    const what = { kind, ...(namespace ? { ns: namespace } : {}), name, error: errorText(error) };
    log.error("an object cannot be read and is left out: delete it, or correct it", what);
  };
}
