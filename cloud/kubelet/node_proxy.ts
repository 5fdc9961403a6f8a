import { RESOURCES } from "../../core/api/mod.ts";
import type { NodeName } from "../../core/base/mod.ts";
import type { ExtraSubresource } from "../../core/http/mod.ts";
import type { CallKubelet } from "./call.ts";

/** `GET nodes/NAME/proxy/PATH`: the plain answer of that node's kubelet. */
export function nodeProxySubresource(call: CallKubelet): ExtraSubresource {
  return {
    resource: "nodes",
    subresource: "proxy",
    kind: "NodeProxyOptions",
    verbs: { GET: "get" },
    longRunning: true,
    async handle({ name, api, info, url }) {
      await api.store.get({ resource: RESOURCES.nodes, name });
      // As the client wrote it: what a proxy decodes and encodes again may become another path.
      const path = url.pathname.replace(/^.*?\/nodes\/[^/]+\/proxy/, "");
      return await call(name as NodeName, `${path === "" ? "/" : path}${url.search}`, info.signal);
    },
  };
}
