/** The kubelet room of the agent: what the hub, or the machine's own user, asks of this node's pods. */
export { createKubelet, type Kubelet, type KubeletParts } from "./kubelet.ts";
export { localSubresources } from "./local.ts";
export type { KubeletRequest, KubeletRoute } from "./routes.ts";
export { serveTunnel } from "./serve_tunnel.ts";
