import { type Pod, RESOURCES } from "../api/mod.ts";
import type { Clock } from "../base/mod.ts";
import type { ExtraSubresource } from "../http/mod.ts";
import { type DialPod, serveStream } from "./serve.ts";
import { parseTarget, type StreamVerb } from "./target.ts";

const KINDS: Readonly<Record<StreamVerb, string>> = {
  exec: "PodExecOptions",
  attach: "PodAttachOptions",
  portforward: "PodPortForwardOptions",
};

/**
 * `pods/exec`, `pods/attach` and `pods/portforward` of an API, served through `dial`. Whatever the
 * method, they need the verb `create`: to read is not to run.
 */
export function streamSubresources(dial: DialPod, clock: Clock): ExtraSubresource[] {
  return (Object.keys(KINDS) as StreamVerb[]).map((verb) => ({
    resource: "pods",
    subresource: verb,
    kind: KINDS[verb],
    verbs: { GET: "create", POST: "create" },
    longRunning: true,
    async handle({ namespace = "default", name, api, info, url, request: { headers } }) {
      const pod = await api.store.get({ resource: RESOURCES.pods, namespace, name }) as Pod;
      const target = parseTarget(verb, url.searchParams, pod, "api");
      const { upgrade, signal } = info;
      return await serveStream(
        { headers, upgrade, target },
        (offer) => dial(pod, target, offer, signal),
        { clock, signal },
      );
    },
  }));
}
