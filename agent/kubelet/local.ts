import type { Clock } from "../../core/base/mod.ts";
import type { ExtraSubresource } from "../../core/http/mod.ts";
import { logSubresource, streamSubresources } from "../../core/streaming/mod.ts";
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
    logSubresource(({ metadata }, options, signal) => {
      const { namespace = "default", name, uid = "" } = metadata;
      return pods.readLogs({ namespace, name, uid, options }, signal);
    }),
    ...streamSubresources(({ metadata }, target, offer, signal) => {
      const { namespace = "default", name, uid = "" } = metadata;
      return kubelet.dial({ namespace, name, uid }, target, offer, signal);
    }, clock),
  ];
}
