import type { KubeObject, ObjectRef } from "../api/mod.ts";
import { isAppError } from "../base/mod.ts";
import type { Store } from "./store.ts";

/** The object, or `undefined` when there is none. @throws {AppError} what else `get` throws */
export async function findObject(
  store: Pick<Store, "get">,
  ref: ObjectRef,
): Promise<KubeObject | undefined> {
  try {
    return await store.get(ref);
  } catch (error) {
    if (isAppError(error, "NotFound")) return undefined;
    throw error;
  }
}
