/** Gateways of tests of a real control plane: agents as a person joins them. */
import type { Containerd } from "../../tools/containerd/mod.ts";
import { type AgentAt, type HubAt, nodeReady, type Site } from "../e2e/gateway_lib.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import type { Api } from "./fleet.ts";

/** Options of {@linkcode joinGateway}. */
export interface GatewayOptions {
  readonly name: string;
  /** Whose kubeconfig makes the token. */
  readonly hub: HubAt;
  readonly api: Api;
  /** `host:port` that is dialled. @default {the hub's own, on this machine} */
  readonly address?: string;
  /** What runs its pods. @default {nothing does} */
  readonly containerd?: Containerd;
  /** More of the agent's options. @default {none} */
  readonly flags?: readonly string[];
}

/** Starts an agent that joins by a token of its own; returns when its Node is Ready. */
export async function joinGateway(site: Site, options: GatewayOptions): Promise<AgentAt> {
  const { name, hub, api, address, containerd, flags = [] } = options;
  const agent = await site.agent(name, {
    hub: address ?? `127.0.0.1:${hub.nodePort}`,
    token: await site.token(hub, name),
    ...(containerd ? { cri: containerd.socket } : {}),
    flags: [...(containerd ? [`--pod-cidr=${containerd.subnet}`] : []), ...flags],
  });
  await until(`${name} is Ready`, async () => await nodeReady(api, name) === "True");
  return agent;
}
