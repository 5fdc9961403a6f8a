import { MIRROR_ANNOTATION, type Pod } from "../../core/api/mod.ts";
import { AppError, type NodeName } from "../../core/base/mod.ts";
import type { ExtraSubresource } from "../../core/http/mod.ts";
import { logSubresource } from "../../core/streaming/mod.ts";
import type { OpenedStream, StreamHeader } from "../hub/mod.ts";

/** Where a pod runs, and by what its node knows it. */
export interface PodAtNode {
  readonly node: NodeName;
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
}

/** Where a pod runs. @throws {AppError} BadRequest when it is not bound yet */
export function atNode({ metadata, spec }: Pod): PodAtNode {
  const { name, namespace = "default" } = metadata;
  if (!spec.nodeName) throw new AppError("BadRequest", `pod ${name} does not have a host assigned`);
  // The mirror of a pod of a manifest has a uid of its own at the hub; the node knows the other.
  const uid = metadata.annotations?.[MIRROR_ANNOTATION] ?? metadata.uid ?? "";
  return { node: spec.nodeName as NodeName, namespace, pod: name, uid };
}

/** Opens a stream to a node. @throws {AppError} ServiceUnavailable when the node is away, or the node's own error */
export type OpenStream = (
  node: NodeName,
  header: StreamHeader,
  signal: AbortSignal,
) => Promise<OpenedStream>;

/** `GET pods/NAME/log`: the bytes of the node's log, piped from a tunnel stream. */
export function podLogSubresource(openStream: OpenStream): ExtraSubresource {
  return logSubresource(async (pod, options, signal) => {
    const { node, ...at } = atNode(pod);
    return (await openStream(node, { kind: "logs", ...at, options }, signal)).readable;
  });
}
