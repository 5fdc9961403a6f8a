import type { Attributes } from "./types.ts";

/** What a URL path of the Kubernetes API names. Pure. */
export interface RequestPath {
  readonly group: string;
  readonly version: string;
  readonly namespace?: string;
  readonly resource: string;
  readonly name: string;
  /** `log`, `status`; deeper paths keep their slashes, but what follows `proxy` is not for the API. */
  readonly subresource: string;
}

/**
 * Reads `/api/v1/...` and `/apis/GROUP/VERSION/...`; `undefined` for every other path, for
 * discovery paths, and for paths with empty or undecodable parts.
 */
export function parsePath(pathname: string): RequestPath | undefined {
  const parts = decodeParts(pathname);
  if (!parts) return undefined;
  const rest = parts[0] === "api" ? parts.slice(2) : parts.slice(3);
  const group = parts[0] === "api" ? "" : parts[1];
  const version = parts[0] === "api" ? parts[1] : parts[2];
  if (group === undefined || version === undefined || rest.length === 0) return undefined;
  const at = { group, version };
  // `/namespaces/x` and its own subresources are requests to the namespace object itself.
  const own = rest[2] === "status" || rest[2] === "finalize";
  if (rest[0] === "namespaces" && rest.length > 2 && !(group === "" && own && rest.length === 3)) {
    return { ...at, namespace: rest[1] ?? "", ...tail(rest.slice(2)) };
  }
  return { ...at, ...tail(rest) };
}

function tail(rest: readonly string[]): Pick<RequestPath, "resource" | "name" | "subresource"> {
  return {
    resource: rest[0] ?? "",
    name: rest[1] ?? "",
    subresource: rest[2] === "proxy" ? "proxy" : rest.slice(2).join("/"),
  };
}

function decodeParts(pathname: string): string[] | undefined {
  const raw = pathname.replace(/\/$/, "").split("/").slice(1);
  if (raw[0] !== "api" && raw[0] !== "apis") return undefined;
  try {
    const parts = raw.map(decodeURIComponent);
    const bad = parts.some((part) => part === "" || part === "." || part === "..");
    return bad ? undefined : parts;
  } catch {
    return undefined;
  }
}

const WRITE_VERBS: Readonly<Record<string, string>> = {
  POST: "create",
  PUT: "update",
  PATCH: "patch",
};

/** Whether a request of that method changes nothing. */
export function isRead({ method }: Pick<Request, "method">): boolean {
  return method === "GET" || method === "HEAD";
}

/** The verb of a request to a resource, after Kubernetes' `RequestInfoFactory`. */
export function verbOf(method: string, named: boolean, query: URLSearchParams): string {
  if (isRead({ method })) {
    if (isTrue(query.get("watch"))) return "watch";
    return named ? "get" : "list";
  }
  if (method === "DELETE") return named ? "delete" : "deletecollection";
  return WRITE_VERBS[method] ?? method.toLowerCase();
}

/** Whether a query parameter says yes, in the words that Go's `strconv.ParseBool` takes. */
export function isTrue(value: string | null): boolean {
  return value !== null && /^(1|t|true)$/i.test(value);
}

/** The attributes of a request to a resource. */
export function attributesOf(
  path: RequestPath,
  verb: string,
  query: URLSearchParams,
): Attributes {
  const fieldSelector = query.get("fieldSelector");
  const labelSelector = query.get("labelSelector");
  return {
    verb,
    group: path.group,
    version: path.version,
    resource: path.resource,
    subresource: path.subresource,
    namespace: path.namespace ??
      (path.group === "" && path.resource === "namespaces" ? path.name : ""),
    name: path.name,
    path: "",
    ...(fieldSelector ? { fieldSelector } : {}),
    ...(labelSelector ? { labelSelector } : {}),
  };
}

/** The attributes of a request to a path that is no resource. */
export function pathAttributes(method: string, path: string): Attributes {
  return {
    verb: method === "HEAD" ? "get" : method.toLowerCase(),
    group: "",
    version: "",
    resource: "",
    subresource: "",
    namespace: "",
    name: "",
    path,
  };
}
