import type { KubeObject, ResourceDef } from "../../core/api/mod.ts";
import { isAppError } from "../../core/base/mod.ts";
import type { Store } from "../../core/store/mod.ts";

/**
 * Tells of every object of a kind, now and after each change, until `signal` aborts. A watch that
 * was cut because its reader was slow starts again and tells of everything once more.
 */
export async function followKind(
  store: Store,
  resource: ResourceDef,
  signal: AbortSignal,
  told: (object: KubeObject, deleted: boolean) => void,
): Promise<void> {
  while (!signal.aborted) {
    using watch = await store.watch(resource);
    const onAbort = (): void => watch.abort();
    if (signal.aborted) return;
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      for await (const event of watch) {
        if (event.type !== "BOOKMARK") told(event.object, event.type === "DELETED");
      }
    } catch (error) {
      if (!isAppError(error, "Expired")) throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}
