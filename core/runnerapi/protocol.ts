import { z } from "zod";

/** Version of the control protocol; agent and runner of the same major understand each other. */
export const RUNNER_API = "v1";

/** Largest module that a runner takes, in bytes. */
export const MAX_MODULE_BYTES = 32 * 1024 * 1024;

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const Count = z.number().int().nonnegative();

/** What the agent puts: a function with every reference resolved and every default filled in. */
export const RunnerFunction = z.object({
  uid: z.string().min(1).max(128).regex(/^[A-Za-z0-9_.-]+$/),
  namespace: z.string().min(1).max(253),
  name: z.string().min(1).max(253),
  /** Names this state of spec and module; another revision means a new compile and try. */
  revision: z.string().min(1).max(64),
  generation: Count,
  /** Milliseconds since the epoch; the older of two functions keeps a path that both want. */
  createdAt: z.number(),
  /** SHA-256 of the module, hex. The module must have been put before. */
  digest: Sha256,
  abi: z.enum(["auto", "skerry-core-v1", "wasi-command"]),
  triggers: z.array(z.object({
    path: z.string().startsWith("/").max(2048),
    /** Empty: all methods. */
    methods: z.array(z.string()).max(16),
    maxBodyBytes: Count,
  })).max(64),
  env: z.record(z.string(), z.string()),
  args: z.array(z.string()).max(1024),
  limits: z.object({
    memoryBytes: Count,
    timeoutMs: z.number().positive(),
    outputBytes: Count,
    concurrency: z.number().int().positive(),
    queue: Count,
  }),
});

/** See {@linkcode RunnerFunction}. */
export type RunnerFunction = z.infer<typeof RunnerFunction>;

/** How often calls of a function ended in which way since the runner started. */
export const RunnerCounters = z.object({
  requests: Count,
  errors: Count,
  timeouts: Count,
  traps: Count,
  rejected: Count,
});

/** See {@linkcode RunnerCounters}. */
export type RunnerCounters = z.infer<typeof RunnerCounters>;

/** How a function stands in the runner. */
export const RunnerFunctionState = z.object({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** The revision that was put last. */
  revision: z.string(),
  generation: Count,
  /** About `revision`: being compiled and tried, answering calls, or refused. */
  state: z.enum(["Compiling", "Ready", "Failed"]),
  reason: z.enum(["Compiling", "Serving", "InvalidModule", "CompileFailed", "PathConflict"]),
  message: z.string(),
  /** The revision that answers calls now; absent when none does. */
  servingRevision: z.string().optional(),
  /** SHA-256 of the module that answers calls. */
  servingDigest: z.string().optional(),
  abi: z.string().optional(),
  /** Paths at the gateway that this function answers. */
  paths: z.array(z.string()),
  counters: RunnerCounters,
  /** How the last call that failed did so, since the runner started. */
  lastError: z.string().optional(),
});

/** See {@linkcode RunnerFunctionState}. */
export type RunnerFunctionState = z.infer<typeof RunnerFunctionState>;

/** Answer of `GET /v1/status`. */
export const RunnerStatus = z.object({
  /** Changes with every start of the runner. */
  instance: z.string(),
  engine: z.object({
    /** e.g. `50.0.0`. */
    version: z.string(),
    arch: z.string(),
    allocation: z.enum(["pooling", "on-demand"]),
    maxMemoryBytes: Count,
  }),
  /** `host:port` of the gateway. */
  gateway: z.string(),
  functions: z.array(RunnerFunctionState),
});

/** See {@linkcode RunnerStatus}. */
export type RunnerStatus = z.infer<typeof RunnerStatus>;

/**
 * One line of `GET /v1/events`. The stream begins with `status` and then tells changes; counters
 * alone are no change. It ends when the runner ends or when the reader is too slow.
 */
export const RunnerEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("status"), status: RunnerStatus }),
  z.object({ type: z.literal("function"), function: RunnerFunctionState }),
  z.object({ type: z.literal("removed"), uid: z.string() }),
  z.object({ type: z.literal("ping") }),
]);

/** See {@linkcode RunnerEvent}. */
export type RunnerEvent = z.infer<typeof RunnerEvent>;

/** Body of every answer that is no success. */
export const RunnerErrorBody = z.object({
  error: z.object({ code: z.string(), message: z.string() }),
});

/** Answer of `PUT /v1/functions/{uid}`: whether the runner lacks the module and wants it first. */
export const PutFunctionAnswer = z.object({
  /** `accepted`; or `module-missing`: put the module, then the function again. */
  result: z.enum(["accepted", "module-missing"]),
});

/** See {@linkcode PutFunctionAnswer}. */
export type PutFunctionAnswer = z.infer<typeof PutFunctionAnswer>;
