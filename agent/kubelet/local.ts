import { parsePodLogOptions, type Pod, RESOURCES } from "../../core/api/mod.ts";
import type { Clock } from "../../core/base/mod.ts";
import type { ExtraSubresource } from "../../core/http/mod.ts";
import { streamSubresources } from "../../core/streaming/mod.ts";
import type { PodManager } from "../pods/mod.ts";
import type { Kubelet } from "./kubelet.ts";

/** What the local API serves of pods. */
export interface LocalParts {
  readonly kubelet: Kubelet;
  readonly pods: PodManager;
  readonly clock: Clock;
}

/**
 * The pod subresources of the local API: logs, exec, attach and port-forward, the same bytes that
 * the hub would get, link or no link.
 */
export function localSubresources({ kubelet, pods, clock }: LocalParts): ExtraSubresource[] {
  return [
    localLog(pods),
    ...streamSubresources(({ metadata }, target, offer, signal) => {
      const { namespace = "default", name, uid = "" } = metadata;
      return kubelet.dial({ namespace, name, uid }, target, offer, signal);
    }, clock),
  ];
}

function localLog(pods: PodManager): ExtraSubresource {
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
