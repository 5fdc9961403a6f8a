import { z } from "zod";
import { AppError } from "../base/mod.ts";
import {
  mergeWasmStatus,
  RESOURCES,
  type WasmFunction,
  type WasmFunctionNodeStatus,
} from "../api/mod.ts";
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
  if (!mayHave(keyOf("wasmfunctions.skerry.dev", namespace, name))) {
    throw new AppError("Forbidden", `function ${namespace}/${name} is not placed on node ${node}`);
  }
  await store.update({ resource: RESOURCES.wasmfunctions, namespace, name }, (current) => {
    if (current.metadata.uid !== uid) {
      throw new AppError("NotFound", `function ${namespace}/${name} with uid ${uid} is gone`);
    }
    const change = { node, report: { ...report, name: node } };
    return { ...current, status: mergeWasmStatus(current as WasmFunction, change, { now }) };
  }, { subresource: "status" });
}
