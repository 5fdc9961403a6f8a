import type { Clock, Logger, Ms } from "../base/mod.ts";
import type { KubeObject, ResourceDef } from "../api/mod.ts";
import type { Selection, Store } from "../store/mod.ts";
import type { ByteChannel } from "../wire/mod.ts";

/** Who asks, as Kubernetes' `user.Info`. */
export interface User {
  readonly name: string;
  readonly uid?: string;
  /** Always contains `system:authenticated` once the API has accepted the user. */
  readonly groups: readonly string[];
  /** What else is known, e.g. the pod that a service account's token is bound to. */
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/**
 * The certificate that a client proved to hold. The server makes one only after it has verified
 * chain, signature and dates itself; so its presence is the proof.
 */
export interface PeerCertificate {
  /** `CN` of the subject. */
  readonly commonName: string;
  /** Every `O` of the subject. */
  readonly organizations: readonly string[];
  /** SHA-256 of the DER form, lower-case hex. */
  readonly fingerprint: string;
  /** When our CA signed it, to the second. */
  readonly issuedAt: Ms;
  /** Upper-case hex, as in the certificate. */
  readonly serialNumber: string;
}

/** What the transport knows of a request beyond the request itself. */
export interface ConnectionInfo {
  readonly peer?: PeerCertificate;
  /** Address of the other end, for logs. */
  readonly remote?: string;
  /** Aborts as soon as the client goes away. */
  readonly signal: AbortSignal;
  /** Present when the client asks to speak another protocol on this connection. */
  readonly upgrade?: Upgrade;
}

/** A request to speak another protocol: exec, attach, port-forward, WebSocket. */
export interface Upgrade {
  /**
   * Answers 101 with `headers` and hands over the connection, once. The handler must end it; what it
   * returns then is not sent. A handler that never calls this answers as usual.
   */
  accept(headers: Readonly<Record<string, string>>): ByteChannel;
}

/** Answers one request. The shape of every HTTP room's entry. */
export type Handler = (request: Request, info: ConnectionInfo) => Promise<Response>;

/**
 * Says who sends a request, or `undefined` when it carries no credential.
 * @throws {AppError} Unauthorized when a credential is there but is not good
 */
export type Authenticate = (
  request: Request,
  info: ConnectionInfo,
) => Promise<User | undefined> | User | undefined;

/** What somebody wants to do: Kubernetes' `authorizer.Attributes`. */
export interface Attributes {
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; for paths the method in lower case. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  /** Plural; empty for requests to a path. */
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  /** Empty when the request names no single object. */
  readonly name: string;
  /** The path, for requests that are not to a resource; else empty. */
  readonly path: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

/** Whether something is allowed, and by which rule. */
export interface Decision {
  readonly allowed: boolean;
  readonly reason: string;
}

/** Decides whether `user` may do what `attributes` says. */
export type Authorize = (user: User, attributes: Attributes) => Promise<Decision> | Decision;

/** What a handler gets: the request, who sends it, and the parts of the API. */
export interface RequestContext {
  readonly request: Request;
  readonly url: URL;
  readonly user: User;
  readonly info: ConnectionInfo;
  readonly attributes: Attributes;
  readonly api: ApiParts;
  /** Texts to send as `Warning: 299` headers. */
  readonly warnings: string[];
}

/** A context of a request to a resource that is served. */
export interface ResourceContext extends RequestContext {
  /** What a failure is about; a handler that learns the name of a new object writes it here. */
  readonly subject: { resource?: ResourceDef; name?: string };
  readonly resource: ResourceDef;
  /** Absent for cluster-scoped kinds and for requests over all namespaces. */
  readonly namespace?: string;
  /** Empty when the request names no single object. */
  readonly name: string;
}

/** What the handlers share. */
export interface ApiParts {
  readonly store: Store;
  readonly resources: readonly ResourceDef[];
  readonly clock: Clock;
  readonly log: Logger;
  /** What `/version` says, e.g. `v1.34.0-skerry.0.1.0`. */
  readonly version: string;
  readonly authorize: Authorize;
  readonly limits: Limits;
  readonly extensions: Extensions;
}

/** Caps of the API. */
export interface Limits {
  /** Largest request body in bytes. @default {3 MiB} */
  readonly bodyBytes: number;
  /** Deepest nesting of a JSON body. @default {128} */
  readonly jsonDepth: number;
  /** Longest path and query in characters. @default {8192} */
  readonly urlLength: number;
  /** Watches and other long requests at once for one identity. @default {256} */
  readonly watchesPerUser: number;
  /** Short requests at once for one identity. @default {100} */
  readonly requestsPerUser: number;
}

/** Who may call an extra route. */
export type Access =
  /** Anybody, without a credential; `because` says why that is safe. */
  | { readonly kind: "public"; readonly because: string }
  /** Anybody with a good credential. */
  | { readonly kind: "authenticated" }
  /** Whom `authorize` allows, asked with `path` and the method as verb. */
  | { readonly kind: "authorized" };

/** A route beside the Kubernetes API: `/healthz`, `/metrics`, `/join`. */
export interface ExtraRoute {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Exact path, or a prefix when it ends in `/*`. */
  readonly path: string;
  readonly access: Access;
  /** Counts as a watch, not as a short request. */
  readonly longRunning?: boolean;
  /** `user` is `system:anonymous` on public routes. */
  handle(context: RequestContext): Promise<Response> | Response;
}

/** A subresource that a side adds: `pods/log`, `nodes/proxy`. Always authorised as `resource/subresource`. */
export interface ExtraSubresource {
  /** `pods` or `deployments.apps`. */
  readonly resource: string;
  readonly subresource: string;
  /** The kind that discovery names for it. */
  readonly kind: string;
  /** Methods served and the verb that each needs. */
  readonly verbs: Readonly<Partial<Record<"GET" | "POST" | "PUT" | "PATCH" | "DELETE", string>>>;
  readonly longRunning?: boolean;
  handle(context: ResourceContext): Promise<Response> | Response;
}

/** A kind whose objects are made when somebody asks and are never stored: `nodes.metrics.k8s.io`. */
export interface ExtraResource {
  readonly resource: ResourceDef;
  /** All that `selection` names. */
  list(selection: Selection, context: ResourceContext): Promise<KubeObject[]>;
  /** The one that `context` names. @throws {AppError} NotFound */
  get(context: ResourceContext): Promise<KubeObject>;
}

/** What the hub or the agent plugs into the API. */
export interface Extensions {
  readonly routes?: readonly ExtraRoute[];
  readonly subresources?: readonly ExtraSubresource[];
  readonly resources?: readonly ExtraResource[];
}
