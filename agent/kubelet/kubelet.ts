import { AppError, type Clock, isAppError } from "../../core/base/mod.ts";
import { errorResponse, logErrorResponse } from "../../core/http/mod.ts";
import {
  pingsWhenQuiet,
  type StreamTarget,
  type Upgraded,
  type UpgradeOffer,
} from "../../core/streaming/mod.ts";
import { ExecTurns } from "../runtimes/mod.ts";
import { dialPod, onClose, type PodAt } from "./dial.ts";
import {
  type KubeletRequest,
  type KubeletRoute,
  kubeletRoutes,
  matchRoute,
  podsOf,
  type RouteParts,
  runtimeOf,
} from "./routes.ts";

/** What {@linkcode createKubelet} works with. */
export interface KubeletParts extends RouteParts {
  readonly clock: Clock;
  /** Routes that other rooms bring, e.g. the stats. */
  readonly routes?: readonly KubeletRoute[];
}

/** What a kubelet serves on this node, whoever asks: the tunnel and the local API use this one. */
export interface Kubelet {
  /** Answers a plain request. Refusals are answers too. The body ends early when `signal` aborts. */
  fetch(request: KubeletRequest, signal: AbortSignal): Promise<Response>;
  /**
   * Opens exec, attach or port-forward; whoever asked closes it, and aborts `signal` when it is no
   * longer wanted before it is there.
   *
   * @throws {AppError} in the kubelet's words, or the runtime's
   */
  dial(
    pod: PodAt,
    target: StreamTarget,
    offer: UpgradeOffer,
    signal: AbortSignal,
  ): Promise<Upgraded>;
  /** How many of {@linkcode Kubelet.dial} are open. */
  readonly streams: number;
}

/** Makes the kubelet of this node; it runs nothing by itself. */
export function createKubelet(parts: KubeletParts): Kubelet {
  const routes = [...kubeletRoutes(parts), ...parts.routes ?? []];
  const turns = new ExecTurns(parts.clock);
  let streams = 0;
  return {
    get streams() {
      return streams;
    },
    async fetch({ method, path }, signal) {
      try {
        const url = new URL(path, "http://kubelet");
        const found = matchRoute(routes, method, url.pathname);
        if (!found) {
          throw new AppError("NotFound", `the kubelet serves no ${method} ${url.pathname}`);
        }
        return await found.route.handle({ url, parts: found.parts }, signal);
      } catch (error) {
        if (!isAppError(error)) throw error;
        return path.startsWith("/containerLogs/") ? logErrorResponse(error) : errorResponse(error);
      }
    },
    async dial(pod, target, offer, signal) {
      const found = { pods: podsOf(parts), runtime: runtimeOf(parts), turns };
      const upgraded = await dialPod(found, pod, target, offer, signal);
      streams++;
      const channel = onClose(upgraded.channel, () => streams--);
      if (offer.upgrade !== "SPDY/3.1") return { ...upgraded, channel };
      return { ...upgraded, channel: pingsWhenQuiet(channel, parts.clock) };
    },
  };
}
