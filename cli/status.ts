import { optionsHelp, parseOptions } from "../core/parts/mod.ts";
import { systemClock } from "../core/base/mod.ts";
import { KUBECONFIG_OPTION, openClient, speaksWithHub } from "./client.ts";
import { clusterStatus, readCluster } from "./cluster_status.ts";
import { say } from "./say.ts";
import { table } from "./table.ts";

interface HubStatus {
  readonly version: string;
  readonly services: { name: string; phase: string; restarts: number; lastError?: string }[];
  readonly nodes: { name: string; connected: boolean; since: string; agent: string }[];
}

/**
 * `skerry status`: the hub's services and every node's link; of a cluster what its Leases and Nodes
 * tell of both.
 */
export async function runStatus(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) {
    return say(optionsHelp("deno task skerry status [options]", KUBECONFIG_OPTION));
  }
  using client = await openClient(parseOptions(KUBECONFIG_OPTION, args).kubeconfig);
  if (!await speaksWithHub(client)) {
    return say(clusterStatus(await readCluster(client), systemClock.now()));
  }
  const status: HubStatus = await client.request("GET", "/skerry/v1/status");
  say(`hub ${status.version}`);
  say(table(
    ["SERVICE", "STATE", "RESTARTS", "LAST ERROR"],
    status.services.map((item) => [
      item.name,
      item.phase,
      String(item.restarts),
      item.lastError ?? "",
    ]),
  ));
  say("");
  say(table(
    ["NODE", "LINK", "SINCE", "AGENT"],
    status.nodes.map((item) => [
      item.name,
      item.connected ? "connected" : "away",
      item.since,
      item.agent,
    ]),
  ));
}
