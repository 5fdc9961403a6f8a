import { parsePodLogOptions, type Pod, RESOURCES } from "../../core/api/mod.ts";
import type { ExtraSubresource } from "../../core/http/mod.ts";
import type { PodManager } from "../pods/mod.ts";

/** `GET pods/NAME/log` of the local API: the same bytes that the hub would get, link or no link. */
export function localLogSubresource(pods: PodManager): ExtraSubresource {
  return {
    resource: "pods",
    subresource: "log",
    kind: "Pod",
    verbs: { GET: "get" },
    longRunning: true,
    async handle({ namespace = "default", name, api, info, url }) {
      const pod = await api.store.get({ resource: RESOURCES.pods, namespace, name }) as Pod;
      const options = parsePodLogOptions(url.searchParams, pod);
      const request = { namespace, name, options, uid: pod.metadata.uid ?? "" };
      return new Response(pods.readLogs(request, info.signal), {
        headers: { "content-type": "text/plain" },
      });
    },
  };
}
