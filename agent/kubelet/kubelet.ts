import { AppError, isAppError } from "../../core/base/mod.ts";
import { errorResponse } from "../../core/http/mod.ts";
import {
  type KubeletRequest,
  type KubeletRoute,
  kubeletRoutes,
  matchRoute,
  type RouteParts,
} from "./routes.ts";

/** What {@linkcode createKubelet} works with. */
export interface KubeletParts extends RouteParts {
  /** Routes that other rooms bring, e.g. the stats. */
  readonly routes?: readonly KubeletRoute[];
}

/** The kubelet's HTTP routes of this node, whoever asks: the tunnel and the local API use this one. */
export interface Kubelet {
  /** Answers a plain request. Refusals are answers too. The body ends early when `signal` aborts. */
  fetch(request: KubeletRequest, signal: AbortSignal): Promise<Response>;
}

/** Makes the kubelet of this node; it runs nothing by itself. */
export function createKubelet(parts: KubeletParts): Kubelet {
  const routes = [...kubeletRoutes(parts), ...parts.routes ?? []];
  return {
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
        return errorResponse(error);
      }
    },
  };
}
