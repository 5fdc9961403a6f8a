import type { Clock, ServiceState } from "../../core/base/mod.ts";
import type { AgentOptions } from "../../core/parts/mod.ts";
import type { Disk, MachineFacts } from "../node/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";

/** What a check looks at: what the running agent knows and can do. */
export interface CheckContext {
  readonly options: AgentOptions;
  readonly machine: MachineFacts;
  readonly clock: Clock;
  /** Absent where the node runs functions only. */
  readonly runtime: Runtime | undefined;
  /** Looks for the tmpfs for secrets, or says why there is none. */
  readonly memoryDir: () => Promise<{ readonly dir: string } | { readonly why: string }>;
  /** `undefined` when the path is not there. */
  readonly disk: (path: string) => Promise<Disk | undefined>;
  /** Whether a file is there; `hidden` where the agent may not look. */
  readonly has: (path: string) => Promise<"there" | "missing" | "hidden">;
  /** The parts of the agent's process. */
  readonly services: () => readonly ServiceState[];
  /** Version of the runner's engine, when one answers. */
  readonly engine: () => string | undefined;
  /** What there is to say of pods that run here unknown; `undefined` when there are none. */
  readonly strays: () => string | undefined;
  /** This node's name. */
  readonly node: string;
  /** The link to the hub; absent for a node that runs alone. */
  readonly link: (() => CheckedLink) | undefined;
  /** When the node's certificate ends; absent for a node that has not joined. */
  readonly certificateEnds: () => number | undefined;
  /** The node's memory: what it has and what is free, in bytes. */
  readonly memory: () => { readonly total: number; readonly available: number };
}

/** How the link stands. */
export interface CheckedLink {
  readonly connected: boolean;
  /** Why it is not connected. */
  readonly lastError?: string;
  /** Whether nothing but a new join helps. */
  readonly shutOut?: boolean;
}

/** One thing that a gateway needs. */
export interface Check {
  /** Stable: scripts may look for it, e.g. `network`. */
  readonly name: string;
  /** Whether it has a meaning on this node; one without is left out. @default {always} */
  readonly when?: (context: CheckContext) => boolean;
  /** Says what was found. @throws {AppError} saying what is wrong and what to do */
  look(context: CheckContext, signal: AbortSignal): Promise<string> | string;
}

/** How a check went. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** What was found, or what is wrong and what to do. */
  readonly message: string;
}
