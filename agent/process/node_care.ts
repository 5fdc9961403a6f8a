import type { Service } from "../../core/base/mod.ts";
import { bytes, errorText } from "../../core/base/mod.ts";
import { VERSION } from "../../core/parts/mod.ts";
import { type ExtendedResources, loadDisk, NodeStatus, type RuntimeState } from "../node/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";
import type { Base } from "./base.ts";
import { type Enqueue, type EventReports, nodeIntent } from "./reports.ts";

/** Options of {@linkcode NodeCare}. */
export interface NodeCareOptions extends Base {
  /** Absent where the node runs functions only. */
  readonly runtime: Runtime | undefined;
  readonly enqueue: Enqueue;
  readonly events: EventReports;
  /** Version of the engine of the runner, when one answers. */
  readonly engine: () => string | undefined;
  readonly onAddresses: () => void;
  /** Devices of plugins. */
  readonly extended: () => ExtendedResources;
}

/** What the agent does for the node as a whole. */
export class NodeCare {
  readonly #options: NodeCareOptions;
  readonly #status: NodeStatus;

  constructor(options: NodeCareOptions) {
    this.#options = options;
    this.#status = this.#createStatus();
  }

  /** In the order to start them. */
  get services(): Service[] {
    return [this.#status];
  }

  /** The container runtime, or a device, has come, gone or come back. */
  kick(): void {
    this.#status.kick();
  }

  #createStatus(): NodeStatus {
    const { options, runtime, events, enqueue, engine, extended } = this.#options;
    return new NodeStatus({
      ...this.#options,
      name: this.#options.node,
      address: options["node-ip"],
      labels: Object.fromEntries(options.labels.map((text) => {
        const at = text.indexOf("=");
        return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
      })),
      version: VERSION,
      probes: {
        ...(runtime ? { runtime: (signal: AbortSignal) => probeRuntime(runtime, signal) } : {}),
        engine: () => Promise.resolve(engine()),
        disk: () => loadDisk(options["state-dir"]),
        rest: () => ({
          extended: extended(),
          images: [],
          kept: { memory: bytes(0), disk: bytes(0) },
          pressures: new Set(),
        }),
      },
      report: (tx, object) => enqueue(tx, nodeIntent(object)),
      event: (tx, event) => events.node(tx, event),
    });
  }
}

async function probeRuntime(runtime: Runtime, signal: AbortSignal): Promise<RuntimeState> {
  try {
    const { name, version } = await runtime.info(signal);
    const conditions = await runtime.conditions(signal);
    return { version: `${name}://${version}`, conditions };
  } catch (error) {
    if (signal.aborted) throw error;
    return { version: "unknown://", down: errorText(error), conditions: [] };
  }
}
