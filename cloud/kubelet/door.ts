import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import { AppError, type Clock, isAppError, type NodeName } from "../../core/base/mod.ts";
import {
  type Authenticate,
  type Authorize,
  type ConnectionInfo,
  errorResponse,
  forbidden,
  type Handler,
  logErrorResponse,
  unauthorized,
} from "../../core/http/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import {
  type DialPod,
  parseTarget,
  serveStream,
  type StreamVerb,
} from "../../core/streaming/mod.ts";
import { createCallKubelet } from "./call.ts";
import { createDialPod } from "./dial.ts";
import { atNode, type OpenStream } from "./pod_log.ts";

/** What {@linkcode createKubeletDoor} works with. */
export interface DoorParts {
  /** The node that this door stands for. @default {all: paths that name no pod are refused} */
  readonly node?: NodeName;
  readonly store: Pick<Store, "get">;
  readonly openStream: OpenStream;
  readonly authenticate: Authenticate;
  /** Asked for `nodes/proxy`, and for the subresource that a path stands for, as a kubelet asks. */
  readonly authorize: Authorize;
  readonly clock: Clock;
}

interface Asked {
  readonly what: string;
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string | undefined;
  readonly container: string;
}

/** Paths that name a pod, by their first part: whether they name a container, and the methods. */
const PATHS: Readonly<Record<string, { container: boolean; methods: readonly string[] }>> = {
  containerLogs: { container: true, methods: ["GET"] },
  exec: { container: true, methods: ["GET", "POST"] },
  attach: { container: true, methods: ["GET", "POST"] },
  portForward: { container: false, methods: ["GET", "POST"] },
  run: { container: true, methods: ["POST"] },
};

const STREAMS: Readonly<Record<string, StreamVerb>> = {
  exec: "exec",
  attach: "attach",
  portForward: "portforward",
};

/**
 * The kubelet's HTTP API for an API server: of one node, or of all nodes behind one address. A path
 * that names a pod goes to that pod's node.
 */
export function createKubeletDoor(parts: DoorParts): Handler {
  const dial = createDialPod(parts.openStream);
  return async (request, info) => {
    try {
      const url = new URL(request.url);
      await admit(parts, request, url, info);
      if (url.pathname === "/healthz") return new Response("ok");
      const { node } = parts;
      if (node !== undefined && !namesPod(url.pathname)) {
        return await callWhole(parts, node, request, url, info);
      }
      const asked = parseKubeletPath(request.method, url.pathname);
      const pod = await podOf(parts.store, asked);
      if (node !== undefined && pod.spec.nodeName !== node) {
        throw new AppError("NotFound", `pod "${asked.pod}_${asked.namespace}" is not on ${node}`);
      }
      const verb = STREAMS[asked.what];
      return verb
        ? await serveVerb({ parts, dial, request, info, url, pod }, verb, asked.container)
        : await callNode(parts, request, info, asked, pod);
    } catch (error) {
      if (!isAppError(error) && !info.signal.aborted) throw error;
      const { pathname } = new URL(request.url);
      return pathname.startsWith("/containerLogs/")
        ? logErrorResponse(error)
        : errorResponse(error);
    }
  };
}

async function admit(
  { authenticate, authorize, node }: DoorParts,
  request: Request,
  url: URL,
  info: ConnectionInfo,
): Promise<void> {
  const user = await authenticate(request, info);
  if (!user) throw unauthorized();
  const attributes = {
    verb: request.method === "GET" && !info.upgrade ? "get" : "create",
    group: "",
    version: "v1",
    resource: "nodes",
    subresource: "proxy",
    namespace: "",
    name: node ?? "",
    path: "",
  };
  for (const subresource of subresourcesOf(url.pathname)) {
    const { allowed } = await authorize(user, { ...attributes, subresource });
    if (allowed) return;
  }
  const decision = await authorize(user, attributes);
  if (!decision.allowed) throw forbidden(user, attributes, decision);
}

/** What a path may be allowed by beside `nodes/proxy`: the kubelet's fine-grained rights. */
function subresourcesOf(pathname: string): string[] {
  const [, first = ""] = pathname.split("/");
  const names: Readonly<Record<string, string>> = {
    stats: "stats",
    metrics: "metrics",
    pods: "pods",
    runningpods: "pods",
    healthz: "healthz",
    configz: "configz",
  };
  return Object.hasOwn(names, first) ? [names[first] ?? ""] : [];
}

function namesPod(pathname: string): boolean {
  return Object.hasOwn(PATHS, pathname.split("/")[1] ?? "");
}

/** What concerns the node as a whole: its kubelet answers. */
async function callWhole(
  { openStream }: DoorParts,
  node: NodeName,
  request: Request,
  url: URL,
  info: ConnectionInfo,
): Promise<Response> {
  if (request.method !== "GET") {
    throw new AppError("MethodNotAllowed", `${url.pathname} is served by GET`);
  }
  return await createCallKubelet(openStream)(node, `${url.pathname}${url.search}`, info.signal);
}

/**
 * What a kubelet path names. Pure.
 * @throws {AppError} BadRequest for a path of a whole node, NotFound, MethodNotAllowed
 */
export function parseKubeletPath(method: string, pathname: string): Asked {
  const [, what = "", ...names] = pathname.split("/").map(decode);
  const path = Object.hasOwn(PATHS, what) ? PATHS[what] : undefined;
  if (!path) {
    throw new AppError(
      "BadRequest",
      `this door stands for all nodes, and ${pathname} does not say which one is meant: ask the ` +
        `API for /api/v1/nodes/NAME/proxy${pathname}`,
    );
  }
  const least = path.container ? 3 : 2;
  if (names.includes("") || names.length < least || names.length > least + 1) {
    throw new AppError("NotFound", `the kubelet serves no ${pathname}`);
  }
  if (!path.methods.includes(method)) {
    throw new AppError("MethodNotAllowed", `${what} is served by ${path.methods.join(" and ")}`);
  }
  const [namespace = "", pod = "", ...rest] = names;
  const container = path.container ? rest.pop() ?? "" : "";
  return { what, namespace, pod, uid: rest[0], container };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

async function podOf(
  store: Pick<Store, "get">,
  { namespace, pod: name, uid }: Asked,
): Promise<Pod> {
  const pod = await store.get({ resource: RESOURCES.pods, namespace, name }) as Pod;
  if (uid === undefined || pod.metadata.uid === uid) return pod;
  throw new AppError("NotFound", `pod "${name}_${namespace}" has another UID than ${uid}`);
}

async function serveVerb(
  { parts, dial, request, info, url, pod }: {
    readonly parts: DoorParts;
    readonly dial: DialPod;
    readonly request: Request;
    readonly info: ConnectionInfo;
    readonly url: URL;
    readonly pod: Pod;
  },
  verb: StreamVerb,
  container: string,
): Promise<Response> {
  const query = new URLSearchParams(url.searchParams);
  if (container !== "") query.set("container", container);
  const target = parseTarget(verb, query, pod, "kubelet");
  const { upgrade, signal } = info;
  return await serveStream(
    { headers: request.headers, upgrade, target },
    (offer) => dial(pod, target, offer, signal),
    { clock: parts.clock, signal },
  );
}

/** Logs and `run`: the node's own kubelet answers. */
async function callNode(
  { openStream }: DoorParts,
  request: Request,
  info: ConnectionInfo,
  { what, namespace, pod: name, container }: Asked,
  pod: Pod,
): Promise<Response> {
  const { node } = atNode(pod);
  const path = [what, namespace, name, container].map(encodeURIComponent).join("/");
  const { search } = new URL(request.url);
  const call = createCallKubelet(openStream, request.method === "POST" ? "POST" : "GET");
  return await call(node, `/${path}${search}`, info.signal);
}
