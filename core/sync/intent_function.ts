import { z } from "zod";
import { AppError } from "../base/mod.ts";
import {
  mergeWasmStatus,
  RESOURCES,
  type WasmFunction,
  wasmFunctionMatchesNode,
  type WasmFunctionNodeStatus,
} from "../api/mod.ts";
import { findObject, type Store } from "../store/mod.ts";
import type { IntentContext } from "./intents.ts";
import { keyOf } from "./object_key.ts";
import { checkSize, isOnCalendar } from "./reported.ts";

/** Bytes of one node's report; a function's status lists a hundred of them. */
const FUNCTION_BYTES = 16 * 1024;
const Text = z.string().min(1).max(512);

/** `function-status`: how a function stands on this node. */
export const FunctionStatusBody = z.object({
  namespace: Text,
  name: Text,
  uid: Text,
  node: z.record(z.string(), z.unknown()),
});

/** Of a hundred nodes together still a whole number that every client reads. */
const Count = z.int().min(0).max(Number.MAX_SAFE_INTEGER / 100);
const Short = z.string().max(1024);
const Time = z.iso.datetime({ offset: true }).refine(isOnCalendar, "must be a time");

/** What a node says of a function. Fields of newer agents pass. */
const Report = z.looseObject({
  ready: z.boolean(),
  reason: z.string().regex(/^[A-Za-z]\w{0,127}$/, "must be one word"),
  message: z.string().optional(),
  observedGeneration: z.int().min(0).optional(),
  revision: Short.optional(),
  servingRevision: Short.optional(),
  digest: Short.optional(),
  abi: Short.optional(),
  urls: z.array(Short).max(100).optional(),
  invocations: z.looseObject({
    requests: Count,
    errors: Count,
    timeouts: Count,
    traps: Count,
    rejected: Count,
  }).optional(),
  lastTransitionTime: Time.optional(),
});

/** @throws {AppError} Invalid */
function readReport(what: string, value: unknown): WasmFunctionNodeStatus {
  checkSize(what, value, FUNCTION_BYTES);
  const { success, data, error } = Report.safeParse(value);
  if (success) return data as unknown as WasmFunctionNodeStatus;
  const [issue] = error.issues;
  const field = issue?.path.join(".") ?? "";
  throw new AppError("Invalid", `${what} is invalid: ${field}: ${issue?.message ?? ""}`);
}

/** Writes this node's entry in `status.nodes` and works the summary out anew. */
export async function applyFunctionStatus(
  { node, store, own = store, now, mayHave }: IntentContext,
  { namespace, name, uid, node: sent }: z.infer<typeof FunctionStatusBody>,
): Promise<void> {
  const report = readReport(`node ${node}'s report of function ${namespace}/${name}`, sent);
  // The view may be behind the store, and a refusal is final: then the store itself says.
  const known = mayHave(keyOf("wasmfunctions.skerry.dev", namespace, name));
  const labels = known ? {} : await labelsOf(own, node);
  // Kubernetes knows no right of nodes to these.
  await own.update({ resource: RESOURCES.wasmfunctions, namespace, name }, (current) => {
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
  const found = await findObject(store, { resource: RESOURCES.nodes, name: node });
  return found?.metadata.labels ?? {};
}
