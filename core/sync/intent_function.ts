import { z } from "zod";
import { AppError, isAppError } from "../base/mod.ts";
import {
  mergeWasmStatus,
  RESOURCES,
  type WasmFunction,
  wasmFunctionMatchesNode,
  type WasmFunctionNodeStatus,
} from "../api/mod.ts";
import type { Store } from "../store/mod.ts";
import type { IntentContext } from "./intents.ts";
import { keyOf } from "./interest.ts";

const Text = z.string().min(1).max(512);

/** `function-status`: how a function stands on this node. */
export const FunctionStatusBody = z.object({
  namespace: Text,
  name: Text,
  uid: Text,
  node: z.custom<WasmFunctionNodeStatus>((value) => {
    const report = value as Partial<WasmFunctionNodeStatus> | null;
    return typeof report?.ready === "boolean" && typeof report.reason === "string" &&
      JSON.stringify(report).length <= 16 * 1024;
  }, "no status with ready and reason of at most 16 KiB"),
});

/** Writes this node's entry in `status.nodes` and works the summary out anew. */
export async function applyFunctionStatus(
  { node, store, now, mayHave }: IntentContext,
  { namespace, name, uid, node: report }: z.infer<typeof FunctionStatusBody>,
): Promise<void> {
  // The view may be behind the store, and a refusal is final: then the store itself says.
  const known = mayHave(keyOf("wasmfunctions.skerry.dev", namespace, name));
  const labels = known ? {} : await labelsOf(store, node);
  await store.update({ resource: RESOURCES.wasmfunctions, namespace, name }, (current) => {
    if (!known && !wasmFunctionMatchesNode(current as WasmFunction, { name: node, labels })) {
      throw new AppError(
        "Forbidden",
        `function ${namespace}/${name} is not placed on node ${node}`,
      );
    }
    if (current.metadata.uid !== uid) {
      throw new AppError("NotFound", `function ${namespace}/${name} with uid ${uid} is gone`);
    }
    const change = { node, report: { ...report, name: node } };
    return { ...current, status: mergeWasmStatus(current as WasmFunction, change, { now }) };
  }, { subresource: "status" });
}

async function labelsOf(store: Store, node: string): Promise<Readonly<Record<string, string>>> {
  try {
    return (await store.get({ resource: RESOURCES.nodes, name: node })).metadata.labels ?? {};
  } catch (error) {
    if (isAppError(error, "NotFound")) return {};
    throw error;
  }
}
