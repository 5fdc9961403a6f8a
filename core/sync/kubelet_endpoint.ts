import { isIP } from "node:net";
import type { Node } from "../api/mod.ts";

/** Where an API server finds the kubelet of a node: at the hub. */
export interface KubeletEndpoint {
  /** An IP address or a DNS name of the hub. */
  readonly address: string;
  readonly port: number;
}

/**
 * The hub in the node's place: an API server calls the kubelet there. Only one address, and no host
 * name: by default a server takes a Node's host name before its address. Pure.
 */
export function atHub({ address, port }: KubeletEndpoint): Partial<NonNullable<Node["status"]>> {
  const type = isIP(address) === 0 ? "InternalDNS" : "InternalIP";
  return {
    addresses: [{ type, address }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  };
}
