import { parsePodLogOptions, type Pod, type PodLogOptions, RESOURCES } from "../api/mod.ts";
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

/**
 * Reads the log of a pod's container; the stream ends when `signal` aborts.
 * @throws {AppError} whose words go to the client
 */
export type ReadPodLog = (
  pod: Pod,
  options: PodLogOptions,
  signal: AbortSignal,
) => Promise<ReadableStream<Uint8Array>> | ReadableStream<Uint8Array>;

/** `GET pods/NAME/log` of an API, served through `read`. */
export function logSubresource(read: ReadPodLog): ExtraSubresource {
  return {
    resource: "pods",
    subresource: "log",
    kind: "Pod",
    verbs: { GET: "get" },
    longRunning: true,
    async handle({ namespace = "default", name, api, info, url }) {
      const pod = await api.store.get({ resource: RESOURCES.pods, namespace, name }) as Pod;
      const bytes = await read(pod, parsePodLogOptions(url.searchParams, pod), info.signal);
      return new Response(bytes, { headers: { "content-type": "text/plain" } });
    },
  };
}
