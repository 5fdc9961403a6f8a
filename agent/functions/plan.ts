import {
  resolveWasmLimits,
  resolveWasmTriggers,
  type WasmFunction,
  type WasmFunctionNodeStatus,
  type WasmReason,
} from "../../core/api/mod.ts";
import type { RunnerFunction, RunnerFunctionState } from "../../core/runnerapi/mod.ts";

/** What came of looking for a function's module. */
export type SourceResult =
  | { readonly found: true; readonly digest: string }
  | {
    readonly found: false;
    readonly reason: WasmReason;
    readonly message: string;
    /** Whether another try may find it. */
    readonly retry: boolean;
  };

/** What is known of the runner. */
export type RunnerView =
  | { readonly connected: false; readonly message: string }
  | {
    readonly connected: true;
    /** `host:port` of its gateway. */
    readonly gateway: string;
    /** Most memory that its engine gives an instance. */
    readonly maxMemoryBytes?: number;
    /** How the function stands there; absent when the runner does not have it. */
    readonly state: RunnerFunctionState | undefined;
  };

/** What to do for one function. */
export interface FunctionPlan {
  /** Give this to the runner. */
  readonly put?: RunnerFunction;
  /** `put` is what the runner had already: it failed to compile it and may do better now. */
  readonly again: boolean;
  /** Tell the hub this. */
  readonly status: WasmFunctionNodeStatus;
  /** Look again later: the source may be there then. */
  readonly retry: boolean;
}

/** What {@linkcode planFunction} decides from. */
export interface FunctionFacts {
  readonly node: string;
  readonly fn: WasmFunction;
  readonly source: SourceResult;
  /** Names what the runner is to serve; absent when the source was not found. */
  readonly wanted: RunnerFunction | undefined;
  readonly runner: RunnerView;
}

/**
 * What to do for a function that this node is to serve: put it when the runner has another
 * revision, and say how it stands. A function whose new source or module is no good keeps its old
 * revision, which is never taken away here.
 */
export function planFunction(facts: FunctionFacts): FunctionPlan {
  const { source, wanted, runner } = facts;
  const base = baseStatus(facts);
  if (!source.found) {
    const old = runner.connected && runner.state?.servingRevision
      ? `; revision ${runner.state.servingRevision} keeps answering`
      : "";
    const status = notReady(base, source.reason, `${source.message}${old}`);
    return { status, again: false, retry: source.retry };
  }
  if (!runner.connected) {
    return {
      status: notReady(base, "RunnerUnavailable", runner.message),
      again: false,
      retry: false,
    };
  }
  const { state, maxMemoryBytes = Infinity } = runner;
  if (wanted && wanted.limits.memoryBytes > maxMemoryBytes) {
    const message =
      `spec.limits.memory is ${wanted.limits.memoryBytes} bytes, the engine of this ` +
      `node gives at most ${maxMemoryBytes}: lower it`;
    return { status: notReady(base, "InvalidSpec", message), again: false, retry: false };
  }
  if (wanted && state?.revision !== wanted.revision) {
    const status = notReady(base, "Compiling", "the module is given to the runner");
    return { put: wanted, again: false, status, retry: false };
  }
  if (state?.state === "Ready") {
    return { status: { ...base, ready: true, reason: "Serving" }, again: false, retry: false };
  }
  const status = notReady(base, state?.reason ?? "Compiling", state?.message ?? "");
  // The runner compiles a failed revision anew when it gets it again.
  const again = wanted !== undefined && state?.reason === "CompileFailed";
  return { ...(again ? { put: wanted } : {}), again, status, retry: false };
}

function notReady(
  base: WasmFunctionNodeStatus,
  reason: WasmReason,
  message: string,
): WasmFunctionNodeStatus {
  return { ...base, ready: false, reason, message };
}

function baseStatus({ node, fn, wanted, runner }: FunctionFacts): WasmFunctionNodeStatus {
  const state = runner.connected ? runner.state : undefined;
  return {
    name: node,
    ready: false,
    reason: "Compiling",
    ...(fn.metadata.generation === undefined ? {} : { observedGeneration: fn.metadata.generation }),
    ...(wanted ? { revision: wanted.revision } : {}),
    ...(state?.servingRevision ? { servingRevision: state.servingRevision } : {}),
    ...(state?.servingDigest ? { digest: `sha256:${state.servingDigest}` } : {}),
    ...(state?.abi ? { abi: state.abi } : {}),
    ...(runner.connected && state && state.paths.length > 0
      ? { urls: state.paths.map((path) => `http://${runner.gateway}${path}`) }
      : {}),
    ...(state ? { invocations: state.counters } : {}),
    ...(state?.lastError ? { lastError: state.lastError } : {}),
  };
}

/** What the runner is to serve for a valid function whose module has `digest`, but for its revision. */
export function toRunnerFunction(
  fn: WasmFunction,
  digest: string,
): Omit<RunnerFunction, "revision"> {
  const { metadata, spec } = fn;
  return {
    uid: metadata.uid ?? "",
    namespace: metadata.namespace ?? "default",
    name: metadata.name,
    generation: metadata.generation ?? 0,
    createdAt: Date.parse(metadata.creationTimestamp ?? "") || 0,
    digest,
    abi: spec.abi ?? "auto",
    triggers: resolveWasmTriggers(fn).map((trigger) => ({
      ...trigger,
      methods: [...trigger.methods],
    })),
    env: Object.fromEntries((spec.env ?? []).map(({ name, value }) => [name, value])),
    args: [...(spec.args ?? [])],
    limits: resolveWasmLimits(spec),
  };
}

/**
 * Names what is to be served: a function changes its revision when its module or what the runner
 * reads of its spec changes, and not when labels or placement do.
 */
export async function revisionOf(fn: Omit<RunnerFunction, "revision">): Promise<string> {
  const { generation: _generation, createdAt: _createdAt, ...rest } = fn;
  const bytes = new TextEncoder().encode(JSON.stringify(rest));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return digest.toHex().slice(0, 16);
}
