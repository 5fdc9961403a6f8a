import { parsePodLogOptions, type Pod, type PodLogOptions, RESOURCES } from "../../core/api/mod.ts";
import { AppError, type NodeName } from "../../core/base/mod.ts";
import type { ExtraSubresource } from "../../core/http/mod.ts";
import { MIRROR_ANNOTATION } from "../../core/sync/mod.ts";
import type { OpenedStream, StreamHeader } from "../hub/mod.ts";

/** What the hub asks a node for when it opens a log stream (docs/protocol.md 6). */
export interface LogHeader {
  readonly [field: string]: unknown;
  readonly kind: "logs";
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly options: PodLogOptions;
}

/** Opens a stream to a node. @throws {AppError} ServiceUnavailable when the node is away, or the node's own error */
export type OpenStream = (
  node: NodeName,
  header: StreamHeader,
  signal: AbortSignal,
) => Promise<OpenedStream>;

/** `GET pods/NAME/log`: the bytes of the node's log, piped from a tunnel stream. */
export function podLogSubresource(openStream: OpenStream): ExtraSubresource {
  return {
    resource: "pods",
    subresource: "log",
    kind: "Pod",
    verbs: { GET: "get" },
    longRunning: true,
    async handle(context) {
      const { namespace = "default", name, api, info, url } = context;
      const pod = await api.store.get({ resource: RESOURCES.pods, namespace, name }) as Pod;
      const options = parsePodLogOptions(url.searchParams, pod);
      const node = pod.spec.nodeName;
      if (!node) {
        throw new AppError("BadRequest", `pod ${name} does not have a host assigned`);
      }
      const header: LogHeader = {
        kind: "logs",
        namespace,
        pod: name,
        // The mirror of a pod of a manifest has a uid of its own at the hub; the node knows the other.
        uid: pod.metadata.annotations?.[MIRROR_ANNOTATION] ?? pod.metadata.uid ?? "",
        options,
      };
      const stream = await openStream(node as NodeName, header, info.signal);
      return new Response(stream.readable, { headers: { "content-type": "text/plain" } });
    },
  };
}
