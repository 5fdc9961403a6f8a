import { z } from "zod";
import { AppError, type ErrorCause } from "../base/mod.ts";
import type { Condition, KubeObject, ObjectMeta } from "./object.ts";
import { parseByteSize, parseSpan } from "./wasm_units.ts";

/** Hard upper bounds of a function's fields; a runner may be set up with smaller ones. */
export const WASM_BOUNDS = {
  memory: 1024 * 2 ** 20,
  timeout: 600_000,
  outputBytes: 64 * 2 ** 20,
  maxBodyBytes: 64 * 2 ** 20,
  concurrency: 1000,
  queue: 10_000,
  moduleBytes: 32 * 2 ** 20,
} as const;

const bytesField = (what: string, max: number, min = 1) =>
  z.union([z.string(), z.number()]).refine((value) => {
    const size = parseByteSize(value);
    return size !== undefined && size >= min && size <= max;
  }, `${what} must be a size from ${min} to ${max} bytes, e.g. "16Mi", "512Ki" or 1048576`);

const spanField = (what: string, max: number) =>
  z.string().refine((value) => {
    const span = parseSpan(value);
    return span !== undefined && span >= 1 && span <= max;
  }, `${what} must be a time from 1ms to ${max / 1000}s, e.g. "500ms", "5s" or "1m"`);

const countField = (what: string, min: number, max: number) =>
  z.number().int().min(min).max(max, `${what} must be a whole number from ${min} to ${max}`);

const Source = z.looseObject({
  file: z.string().min(1).refine(
    (path) => !path.startsWith("/") && !path.split("/").includes(".."),
    'must be a path below the node\'s module folder, without ".." and without "/" in front',
  ).optional().meta({ description: "Path of the module below the node's module folder." }),
  configMapRef: z.object({
    name: z.string().min(1, "name the ConfigMap that holds the module"),
    key: z.string().min(1, "name the key in binaryData that holds the module"),
  }).optional().meta({ description: "A key of a ConfigMap in the function's namespace." }),
  http: z.object({
    url: z.url({ protocol: /^https?$/, error: "must be an http or https address" }),
    sha256: z.string().regex(
      /^[0-9a-f]{64}$/,
      "must be the module's SHA-256 as 64 lower-case hex digits, e.g. from sha256sum",
    ),
  }).optional().meta({ description: "An address and the SHA-256 of what lies there." }),
}).superRefine((source, context) => {
  const known = ["file", "configMapRef", "http"] as const;
  const other = Object.keys(source).filter((key) => !known.some((name) => name === key));
  if (other.length > 0) {
    context.addIssue({
      code: "custom",
      path: [other[0] ?? ""],
      message: `is not served yet; use one of ${known.join(", ")}`,
    });
  } else if (known.filter((name) => source[name] !== undefined).length !== 1) {
    context.addIssue({
      code: "custom",
      message: `must have exactly one of ${known.join(", ")}`,
    });
  }
}).meta({
  "x-kubernetes-validations": [{
    rule: "[has(self.file), has(self.configMapRef), has(self.http)].filter(x, x).size() == 1",
    message: "must have exactly one of file, configMapRef, http",
  }],
});

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

const HttpTrigger = z.strictObject({
  path: z.string().regex(
    /^\/[^?#\s]*$/,
    'must begin with "/" and hold no "?", "#" or space, e.g. "/hello"',
  ).optional().meta({ description: "Path prefix at the gateway. Default /{namespace}/{name}." }),
  methods: z.array(z.enum(METHODS, `must be some of ${METHODS.join(", ")}`)).min(1).optional()
    .meta({ description: "Methods that are let through. Default: all." }),
  maxBodyBytes: bytesField("maxBodyBytes", WASM_BOUNDS.maxBodyBytes, 0).optional()
    .meta({ description: "Largest request body. Default 1Mi." }),
});

const Trigger = z.looseObject({ http: HttpTrigger.optional() }).superRefine((trigger, context) => {
  const other = Object.keys(trigger).find((key) => key !== "http");
  if (other !== undefined) {
    context.addIssue({ code: "custom", path: [other], message: "is not served yet; use http" });
  } else if (trigger.http === undefined) {
    context.addIssue({ code: "custom", message: "must name its kind; use http: {}" });
  }
});

const EnvVar = z.looseObject({
  name: z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/, "must be a variable name, e.g. MODE"),
  value: z.string().default(""),
}).superRefine((env, context) => {
  if ("valueFrom" in env) {
    context.addIssue({
      code: "custom",
      path: ["valueFrom"],
      message: "is not served yet; write the text into value",
    });
  }
});

const Limits = z.strictObject({
  memory: bytesField("memory", WASM_BOUNDS.memory, 65536).optional()
    .meta({ description: "Linear memory of an instance. Default 16Mi." }),
  timeout: spanField("timeout", WASM_BOUNDS.timeout).optional()
    .meta({ description: "Time of a call until the function is stopped. Default 5s." }),
  outputBytes: bytesField("outputBytes", WASM_BOUNDS.outputBytes).optional()
    .meta({ description: "Largest answer. Default 1Mi." }),
  concurrency: countField("concurrency", 1, WASM_BOUNDS.concurrency).optional()
    .meta({ description: "Calls at once on a node. Default 8." }),
  queue: countField("queue", 0, WASM_BOUNDS.queue).optional()
    .meta({ description: "Calls that wait on a node when all are busy. Default 64." }),
});

/** `spec` of a WasmFunction. */
export const WasmFunctionSpec = z.strictObject({
  source: Source,
  abi: z.enum(
    ["auto", "skerry-core-v1", "wasi-command"],
    'must be "auto", "skerry-core-v1" or "wasi-command"',
  ).optional().meta({ description: "How the module is called. Default auto: by its exports." }),
  triggers: z.array(Trigger).min(1, "must have at least one trigger, e.g. - http: {}").optional(),
  env: z.array(EnvVar).optional(),
  args: z.array(z.string()).optional(),
  limits: Limits.optional(),
  placement: z.strictObject({
    nodeSelector: z.record(z.string(), z.string()).optional(),
    nodeNames: z.array(z.string()).optional(),
  }).optional().meta({ description: "Which nodes run the function. Default: all." }),
  rollout: z.strictObject({
    revisionHistoryLimit: countField("revisionHistoryLimit", 0, 20).optional(),
  }).optional().meta({ description: "Old compiled revisions to keep. Default 2." }),
});

/** `spec` of a WasmFunction. */
export type WasmFunctionSpec = z.infer<typeof WasmFunctionSpec>;

/** How many calls of a function ended in which way, since its runner started. */
export interface WasmCounters {
  /** Calls that reached the function's path. */
  requests: number;
  /** Calls that the guest did not answer: traps, timeouts and bad answers. */
  errors: number;
  timeouts: number;
  traps: number;
  /** Calls refused by a limit: body, queue, concurrency. */
  rejected: number;
}

/** How a function stands on one node. */
export interface WasmFunctionNodeStatus {
  name: string;
  ready: boolean;
  /** A word of {@linkcode WasmReason}. */
  reason: WasmReason;
  message?: string;
  /** `generation` that this is about. */
  observedGeneration?: number;
  /** Revision that is wanted. */
  revision?: string;
  /** Revision that answers calls now; differs from `revision` while or after an update fails. */
  servingRevision?: string;
  /** SHA-256 of the module that answers, as `sha256:<hex>`. */
  digest?: string;
  abi?: string;
  /** Where the node's gateway serves it, e.g. `http://127.0.0.1:8080/default/hello`. */
  urls?: string[];
  invocations?: WasmCounters;
  /** Reason and message of the last call that failed, since its runner started. */
  lastError?: string;
  /** RFC 3339, whole seconds; when this last changed. */
  lastTransitionTime?: string;
}

/** What the status keeps of a node when there are too many to tell all of each. */
export type WasmFunctionNodeBrief = Pick<
  WasmFunctionNodeStatus,
  "name" | "ready" | "reason" | "invocations"
>;

/**
 * Why a function is or is not ready on a node. These words are API; the `Ready` condition has
 * `NoNodes` (no node matches) and `Pending` (a node has not reported) besides.
 */
export type WasmReason =
  | "Serving"
  | "Compiling"
  | "InvalidSpec"
  | "SourceNotFound"
  | "SourceUnavailable" // the network or the server of the source fails; tried again
  | "SourceTooLarge"
  | "DigestMismatch"
  | "InvalidModule"
  | "CompileFailed" // the compiler died or took too long
  | "PathConflict"
  | "RunnerUnavailable";

/** `status` of a WasmFunction. */
export interface WasmFunctionStatus {
  observedGeneration?: number;
  conditions?: Condition[];
  /** At most 100 nodes, those on which it is not ready first. */
  nodes?: WasmFunctionNodeStatus[];
  /** The nodes beyond. */
  otherNodes?: WasmFunctionNodeBrief[];
  readyNodes?: number;
  desiredNodes?: number;
  /** Of the first ready node. */
  digest?: string;
  invocations?: WasmCounters;
}

/** A WASM function: a module, when it runs, what it may use. */
export interface WasmFunction extends KubeObject {
  apiVersion: "skerry.dev/v1alpha1";
  kind: "WasmFunction";
  metadata: ObjectMeta;
  spec: WasmFunctionSpec;
  status?: WasmFunctionStatus;
}

/** What is wrong with a WasmFunction; empty when nothing is. Each message names the field and the fix. */
export function validateWasmFunction(object: KubeObject): ErrorCause[] {
  const result = WasmFunctionSpec.safeParse(object["spec"] ?? {});
  if (result.success) return [];
  return result.error.issues.flatMap((issue) => {
    const field = issue.path.reduce<string>(
      (path, part) => typeof part === "number" ? `${path}[${part}]` : `${path}.${String(part)}`,
      "spec",
    );
    // A slip of the pen would mean a default that nobody wanted.
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => {
        const message = `${field}.${key}: there is no such field`;
        return { field: `${field}.${key}`, message, reason: "FieldValueInvalid" as const };
      });
    }
    const missing = issue.code === "invalid_type" && issue.input === undefined;
    const message = `${field}: ${issue.message}`;
    return [{ field, message, reason: missing ? "FieldValueRequired" : "FieldValueInvalid" }];
  });
}

/**
 * Reads a WasmFunction.
 *
 * @throws {AppError} Invalid with the fields that are wrong
 */
export function parseWasmFunction(object: KubeObject): WasmFunction {
  const causes = validateWasmFunction(object);
  if (causes.length > 0) {
    const text = causes.map((cause) => cause.message).join("; ");
    throw new AppError("Invalid", `WasmFunction ${object.metadata.name} is invalid: ${text}`, {
      causes,
    });
  }
  return object as WasmFunction;
}

/** A trigger with its defaults filled in. */
export interface ResolvedHttpTrigger {
  readonly path: string;
  /** Empty: all methods. */
  readonly methods: readonly string[];
  readonly maxBodyBytes: number;
}

/** Limits with their defaults filled in. */
export interface ResolvedLimits {
  readonly memoryBytes: number;
  readonly timeoutMs: number;
  readonly outputBytes: number;
  readonly concurrency: number;
  readonly queue: number;
}

/** The limits of a valid function. */
export function resolveWasmLimits(spec: WasmFunctionSpec): ResolvedLimits {
  const limits = spec.limits ?? {};
  return {
    memoryBytes: parseByteSize(limits.memory ?? "16Mi") ?? 0,
    timeoutMs: parseSpan(limits.timeout ?? "5s") ?? 0,
    outputBytes: parseByteSize(limits.outputBytes ?? "1Mi") ?? 0,
    concurrency: limits.concurrency ?? 8,
    queue: limits.queue ?? 64,
  };
}

/** The HTTP triggers of a valid function. */
export function resolveWasmTriggers(fn: WasmFunction): ResolvedHttpTrigger[] {
  const home = `/${fn.metadata.namespace ?? "default"}/${fn.metadata.name}`;
  return (fn.spec.triggers ?? [{ http: {} }]).flatMap(({ http }) =>
    http === undefined ? [] : [{
      path: trimSlash(http.path ?? home),
      methods: http.methods ?? [],
      maxBodyBytes: parseByteSize(http.maxBodyBytes ?? "1Mi") ?? 0,
    }]
  );
}

function trimSlash(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  return trimmed === "" ? "/" : trimmed;
}

/** Whether a function is meant for a node. */
export function wasmFunctionMatchesNode(
  fn: Pick<WasmFunction, "spec">,
  node: { readonly name: string; readonly labels: Readonly<Record<string, string>> },
): boolean {
  const { nodeNames, nodeSelector } = fn.spec.placement ?? {};
  if (nodeNames !== undefined && nodeNames.length > 0 && !nodeNames.includes(node.name)) {
    return false;
  }
  return Object.entries(nodeSelector ?? {}).every(([key, value]) => node.labels[key] === value);
}

/**
 * Tells which nodes are to report how a function stands: those that its placement matches, and all
 * when the placement cannot be read, so that the status says what is wrong with it.
 */
export function wasmFunctionPlacement(
  fn: WasmFunction,
): (node: { readonly name: string; readonly labels: Readonly<Record<string, string>> }) => boolean {
  const unreadable = validateWasmFunction(fn)
    .some(({ field }) => field?.startsWith("spec.placement"));
  return (node) => unreadable || wasmFunctionMatchesNode(fn, node);
}
