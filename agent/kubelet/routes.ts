import { parsePodLogOptions, type Pod, RESOURCES } from "../../core/api/mod.ts";
import { AppError, minutes } from "../../core/base/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import { joinBytes } from "../../core/wire/mod.ts";
import type { PodManager } from "../pods/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";

/** A plain request to the kubelet. */
export interface KubeletRequest {
  readonly method: "GET" | "POST";
  /** Path and query. */
  readonly path: string;
}

/** One kubelet route. */
export interface KubeletRoute {
  readonly method: KubeletRequest["method"];
  /** Exact path; a part in braces takes what stands there, e.g. `/containerLogs/{namespace}/{pod}/{container}`. */
  readonly path: string;
  /** @throws {AppError} which becomes the answer */
  handle(
    at: { readonly url: URL; readonly parts: Readonly<Record<string, string>> },
    signal: AbortSignal,
  ): Promise<Response> | Response;
}

/** What the routes read. */
export interface RouteParts {
  readonly node: string;
  readonly store: LocalStore;
  /** Absent on a node without a container runtime. */
  readonly pods?: PodManager | undefined;
  readonly runtime?: Runtime | undefined;
}

/** How long a command of `run` may take. */
const RUN_LIMIT = minutes(1);

/** The routes of the kubelet that every node serves. */
export function kubeletRoutes(parts: RouteParts): KubeletRoute[] {
  return [
    { method: "GET", path: "/healthz", handle: () => text("ok") },
    { method: "GET", path: "/pods", handle: () => podList(parts) },
    {
      method: "GET",
      path: "/containerLogs/{namespace}/{pod}/{container}",
      handle: ({ url, parts: { namespace = "", pod = "", container = "" } }, signal) => {
        const query = new URLSearchParams(url.searchParams);
        query.set("container", container);
        const name = { namespace, name: pod };
        const options = parsePodLogOptions(query, podOf(parts, name));
        return text(podsOf(parts).readLogs({ ...name, options }, signal));
      },
    },
    {
      method: "POST",
      path: "/run/{namespace}/{pod}/{container}",
      handle: ({ url, parts: { namespace = "", pod = "", container = "" } }, signal) =>
        run(parts, { namespace, name: pod, container }, url.searchParams.get("cmd") ?? "", signal),
    },
  ];
}

/** Runs a command to its end and answers with what it printed. */
async function run(
  parts: RouteParts,
  { container, ...pod }: { namespace: string; name: string; container: string },
  command: string,
  signal: AbortSignal,
): Promise<Response> {
  const id = podsOf(parts).target(pod).container(container);
  // The kubelet's way to write arguments.
  const words = command.split(" ").filter((word) => word !== "");
  if (words.length === 0) throw new AppError("BadRequest", "the parameter cmd is missing");
  const { exitCode, stdout, stderr } = await runtimeOf(parts).execSync(
    id,
    words,
    RUN_LIMIT,
    signal,
  );
  return text(joinBytes([stdout, stderr]), exitCode === 0 ? 200 : 500);
}

/** The container runtime. @throws {AppError} NotFound on a node that has none */
export function runtimeOf({ runtime }: RouteParts): Runtime {
  if (runtime) return runtime;
  throw new AppError("NotFound", "this node runs no pods: it has no container runtime");
}

/** The room that runs pods. @throws {AppError} NotFound on a node that runs none */
export function podsOf({ pods }: RouteParts): PodManager {
  if (pods) return pods;
  throw new AppError("NotFound", "this node runs no pods: it has no container runtime");
}

/** The pod of that name. @throws {AppError} NotFound */
export function podOf(
  { store }: RouteParts,
  { namespace, name }: { namespace: string; name: string },
): Pod {
  const ref = { resource: RESOURCES.pods, namespace, name };
  const pod = store.transact((tx) => tx.get(ref)) as Pod | undefined;
  if (pod) return pod;
  throw new AppError("NotFound", `pod "${name}_${namespace}" does not exist on this node`);
}

function text(body: BodyInit, status = 200): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}

function podList({ store, node }: RouteParts): Response {
  const items = store.transact((tx) => tx.list(RESOURCES.pods) as Pod[])
    .filter((pod) => pod.spec.nodeName === node);
  return Response.json({ kind: "PodList", apiVersion: "v1", metadata: {}, items });
}

/** Finds the route of a request. Pure. */
export function matchRoute(
  routes: readonly KubeletRoute[],
  method: string,
  pathname: string,
): { readonly route: KubeletRoute; readonly parts: Readonly<Record<string, string>> } | undefined {
  const asked = decodeParts(pathname);
  if (!asked) return undefined;
  for (const route of routes) {
    const parts = route.method === method ? fit(route.path.split("/"), asked) : undefined;
    if (parts) return { route, parts };
  }
  return undefined;
}

function fit(
  pattern: readonly string[],
  asked: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== asked.length) return undefined;
  const parts: Record<string, string> = {};
  for (const [at, part] of pattern.entries()) {
    const value = asked[at] ?? "";
    if (part.startsWith("{") && value !== "") parts[part.slice(1, -1)] = value;
    else if (part !== value) return undefined;
  }
  return parts;
}

function decodeParts(pathname: string): string[] | undefined {
  try {
    return pathname.split("/").map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
