import { RESOURCES } from "../../core/api/mod.ts";
import { type ServiceState, toTime } from "../../core/base/mod.ts";
import { type ExtraRoute, jsonResponse } from "../../core/http/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import type { Hub } from "../hub/mod.ts";

/** What `skerry status` shows of one node. */
export interface NodeLinkStatus {
  readonly name: string;
  readonly connected: boolean;
  /** RFC 3339; when the link came up, or when it was last heard. */
  readonly since: string;
  /** Version of the node's agent. */
  readonly agent: string;
}

/** `GET /skerry/v1/status`: the hub's services and the links of its nodes. */
export function statusRoute(options: {
  version: string;
  services: () => readonly ServiceState[];
  nodes: () => Promise<NodeLinkStatus[]>;
}): ExtraRoute {
  return {
    method: "GET",
    path: "/skerry/v1/status",
    access: { kind: "authorized" },
    async handle() {
      return jsonResponse({
        version: options.version,
        services: options.services(),
        nodes: await options.nodes(),
      });
    },
  };
}

/** The link of every node that there is, connected or not. */
export async function nodeLinks(store: Store, hub: Hub): Promise<NodeLinkStatus[]> {
  const { items } = await store.list(RESOURCES.nodes);
  return items.map(({ metadata: { name } }) => {
    const link = hub.node(name);
    return {
      name,
      connected: link !== undefined,
      since: link ? toTime(link.connectedAt) : "",
      agent: link?.agent ?? "",
    };
  });
}
