import {
  channelOf,
  type DialPod,
  readHeader,
  UpgradedHead,
  type UpgradeHeader,
} from "../../core/streaming/mod.ts";
import { atNode, type OpenStream } from "./pod_log.ts";

/** Opens exec, attach and port-forward to pods through tunnel streams of their nodes. */
export function createDialPod(openStream: OpenStream): DialPod {
  return async (pod, target, offer, signal) => {
    const { node, ...at } = atNode(pod);
    const header = { kind: "upgrade", ...at, target, offer } satisfies Readonly<UpgradeHeader>;
    const stream = await openStream(node, header, signal);
    try {
      const { protocol } = readHeader(UpgradedHead, stream.head);
      return { protocol, channel: channelOf(stream) };
    } catch (error) {
      stream.close("the answer cannot be read");
      throw error;
    }
  };
}
