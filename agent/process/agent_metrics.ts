import type { Clock, Metrics, Ms } from "../../core/base/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import type { Link } from "../link/mod.ts";
import { countTokens } from "../pods/mod.ts";

/** What {@linkcode addAgentMetrics} shows. */
export interface AgentMetricsOptions {
  readonly store: LocalStore;
  readonly clock: Clock;
  readonly stateDir: string;
  /** Streams that are served now. */
  readonly streams: () => number;
  /** The link to the hub; a node alone has none. */
  readonly link: () => Pick<Link, "state" | "outbox" | "uncommitted"> | undefined;
  /** Monotonic; when the link was last known to be up, or when the agent began. */
  readonly lastLinked: () => Ms;
}

/** The metrics of an agent (FEATURES row A12): its link, what waits for the hub, what it keeps. */
export function addAgentMetrics(metrics: Metrics, options: AgentMetricsOptions): void {
  const { store, clock, stateDir, streams, link, lastLinked } = options;
  const gauge = (name: string, help: string, read: () => number): void =>
    metrics.gauge(name, help, () => [{ value: read() }]);
  const isLinked = (): boolean => link()?.state.connected === true;
  gauge(
    "skerry_agent_link_up",
    "1 while the link to the hub is up.",
    () => isLinked() ? 1 : 0,
  );
  gauge(
    "skerry_agent_offline_seconds",
    "Time without a link to the hub, in seconds; 0 while it is up, and on a node without a hub.",
    () => !link() || isLinked() ? 0 : (clock.monotonic() - lastLinked()) / 1000,
  );
  gauge("skerry_agent_streams", "Open exec, attach and port-forward streams.", streams);
  gauge(
    "skerry_agent_outbox_rows",
    "What the hub has not answered yet.",
    () => link()?.outbox.measure().rows ?? 0,
  );
  gauge(
    "skerry_agent_outbox_oldest_seconds",
    "Age of the oldest of it, in seconds, since the agent's start at most.",
    () => (link()?.outbox.measure().age ?? 0) / 1000,
  );
  gauge(
    "skerry_agent_outbox_unanswered",
    "What of it was sent on the present link and has no answer.",
    () => link()?.outbox.measure().unanswered ?? 0,
  );
  gauge(
    "skerry_agent_uncommitted_messages",
    "Messages of the hub that have come and are not committed: how far acknowledging lags.",
    () => link()?.uncommitted ?? 0,
  );
  metrics.gauge("skerry_agent_state_bytes", "Bytes of flash that the agent's state takes.", () => [
    { value: sizeOf(stateDir), labels: { what: "store" } },
    { value: sizeOf(`${stateDir}/modules`), labels: { what: "modules" } },
  ]);
  gauge(
    "skerry_agent_tokens",
    "Service account tokens that are kept for pods.",
    () => countTokens(store),
  );
}

/** Bytes of the files right in a folder. Folders in it are counted by nobody here. */
function sizeOf(folder: string): number {
  let sum = 0;
  try {
    for (const { name, isFile } of Deno.readDirSync(folder)) {
      if (isFile) sum += Deno.statSync(`${folder}/${name}`).size;
    }
  } catch {
    // It is not there, or a file has just gone: what was seen counts.
  }
  return sum;
}
