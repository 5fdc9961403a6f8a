import type { ResourceDef } from "../api/mod.ts";
import { AppError, type Clock, errorText, isAppError, type Logger, Places } from "../base/mod.ts";
import { kubernetesVersion } from "../parts/mod.ts";
import type { Store } from "../store/mod.ts";
import { atEnd } from "./at_end.ts";
import { refuseImpersonation, unauthorized } from "./authn.ts";
import { ANONYMOUS, forbidden } from "./authz.ts";
import { Discovery } from "./discovery.ts";
import { discoveryRoutes } from "./paths.ts";
import {
  attributesOf,
  parsePath,
  pathAttributes,
  type RequestPath,
  verbOf,
} from "./request_info.ts";
import { type ResourceRoute, resourceRoutes, routeKey } from "./routes.ts";
import { errorResponse, methodNotAllowed, noSuchPath, type Subject } from "./status.ts";
import type {
  Access,
  ApiParts,
  Attributes,
  Authenticate,
  Authorize,
  ConnectionInfo,
  Extensions,
  ExtraRoute,
  Handler,
  Limits,
  RequestContext,
  ResourceContext,
  User,
} from "./types.ts";

/** The caps that hold when {@linkcode ApiOptions} names none. */
export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 3 * 1024 * 1024,
  jsonDepth: 128,
  urlLength: 8192,
  watchesPerUser: 256,
  requestsPerUser: 100,
};

/** Options of {@linkcode createApi}. */
export interface ApiOptions {
  readonly store: Store;
  /** The kinds that are served. */
  readonly resources: readonly ResourceDef[];
  readonly authenticate: Authenticate;
  readonly authorize: Authorize;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of Skerry, e.g. `0.1.0`. `/version` says which Kubernetes that is ({@linkcode kubernetesVersion}). */
  readonly version: string;
  readonly limits?: Partial<Limits>;
  readonly extensions?: Extensions;
}

/** One way into the API, and who may take it. */
export interface InventoryEntry {
  readonly method: string;
  /** A path with `{namespace}` and `{name}` where a client puts its own. */
  readonly path: string;
  /** `public`, `authenticated`, `path` (asked by path and method) or the verb asked of the resource. */
  readonly access: string;
  /** Why a public route is safe. */
  readonly because?: string;
}

/** The Kubernetes API, without a transport. */
export interface Api {
  /** Answers a request. Never rejects: every failure is a Status. */
  readonly fetch: Handler;
  /**
   * Says who sends a request for `attributes`, for upgrades that a side serves itself.
   * @throws {AppError} Unauthorized, Forbidden
   */
  admit(request: Request, info: ConnectionInfo, attributes: Attributes): Promise<User>;
  /** Every way in, for the test that each names its authorisation. */
  inventory(): InventoryEntry[];
}

/** Builds the Kubernetes API over a store. Stores nothing itself; one instance serves all listeners. */
export function createApi(options: ApiOptions): Api {
  const server = new ApiServer(options);
  return {
    fetch: (request, info) => server.fetch(request, info),
    admit: (request, info, attributes) => server.admit(request, info, attributes),
    inventory: () => server.inventory(),
  };
}

class ApiServer {
  readonly #parts: ApiParts;
  readonly #authenticate: Authenticate;
  /** So that one client cannot take the whole server. */
  readonly #places = new Places();
  readonly #resourceRoutes: ReadonlyMap<string, ResourceRoute>;
  readonly #pathRoutes: readonly ExtraRoute[];
  readonly #resources: ReadonlyMap<string, ResourceDef>;

  constructor(options: ApiOptions) {
    const { authenticate, limits, extensions = {}, ...parts } = options;
    const version = kubernetesVersion(options.version);
    this.#parts = { ...parts, version, limits: { ...DEFAULT_LIMITS, ...limits }, extensions };
    this.#authenticate = authenticate;
    const routes = resourceRoutes(options.resources, extensions);
    this.#resourceRoutes = new Map(routes.map((route) => [routeKey(route), route]));
    this.#resources = new Map(
      routes.map(({ resource: one }) => [`${one.group}/${one.version}/${one.plural}`, one]),
    );
    const discovery = new Discovery(routes);
    this.#pathRoutes = [
      ...(extensions.routes ?? []),
      ...discoveryRoutes(discovery, version),
    ];
  }

  async fetch(request: Request, info: ConnectionInfo): Promise<Response> {
    const subject: { resource?: ResourceDef; name?: string } = {};
    try {
      if (request.url.length > this.#parts.limits.urlLength) {
        throw new AppError(
          "RequestEntityTooLarge",
          `the URL is longer than ${this.#parts.limits.urlLength} characters`,
        );
      }
      refuseImpersonation(request);
      const url = new URL(request.url);
      const path = parsePath(url.pathname);
      return path
        ? await this.#resource(request, info, url, path, subject)
        : await this.#path(request, info, url);
    } catch (error) {
      return this.#failure(error, request, info, subject);
    }
  }

  async admit(request: Request, info: ConnectionInfo, attributes: Attributes): Promise<User> {
    refuseImpersonation(request);
    const user = await this.#authenticate(request, info);
    if (!user) throw unauthorized();
    const decision = await this.#parts.authorize(user, attributes);
    if (!decision.allowed) throw forbidden(user, attributes, decision);
    return user;
  }

  inventory(): InventoryEntry[] {
    const paths = this.#pathRoutes.map(({ method, path, access }) => ({
      method,
      path,
      access: access.kind === "authorized" ? "path" : access.kind,
      ...(access.kind === "public" ? { because: access.because } : {}),
    }));
    const resources = [...this.#resourceRoutes.values()].map((route) => {
      const { resource: { group, version, plural, namespaced }, named, subresource } = route;
      const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
      const scope = namespaced ? "/namespaces/{namespace}" : "";
      const tail = `${named ? "/{name}" : ""}${subresource === "" ? "" : `/${subresource}`}`;
      const query = route.verb === "watch" ? "?watch=true" : "";
      const path = `${root}${scope}/${plural}${tail}${query}`;
      return { method: route.method, path, access: route.verb };
    });
    return [...paths, ...resources];
  }

  async #resource(
    request: Request,
    info: ConnectionInfo,
    url: URL,
    path: RequestPath,
    subject: { resource?: ResourceDef; name?: string },
  ): Promise<Response> {
    const named = path.name !== "";
    const verb = verbOf(request.method, named, url.searchParams);
    const asked = attributesOf(path, verb, url.searchParams);
    const resource = this.#resources.get(`${path.group}/${path.version}/${path.resource}`);
    const route = resource && this.#resourceRoutes.get(routeKey({
      resource,
      subresource: path.subresource,
      named,
      method: request.method,
      verb,
    }));
    // What an added subresource calls its verb (`create` for an exec by GET) wins over the method's.
    const attributes = route ? { ...asked, verb: route.verb } : asked;
    const user = await this.admit(request, info, attributes);
    if (!resource || !scopeFits(resource, path, attributes.verb)) throw noSuchPath();
    subject.resource = resource;
    if (named) subject.name = path.name;
    if (!route) {
      throw this.#knows(resource, path.subresource) ? methodNotAllowed() : noSuchPath();
    }
    const context: ResourceContext = {
      ...this.#context(request, info, url, user, attributes),
      subject,
      resource,
      name: path.name,
      ...(path.namespace === undefined ? {} : { namespace: path.namespace }),
    };
    return await this.#run(context, route.longRunning ?? false, () => route.handle(context));
  }

  #knows(resource: ResourceDef, subresource: string): boolean {
    for (const route of this.#resourceRoutes.values()) {
      if (route.resource === resource && route.subresource === subresource) return true;
    }
    return false;
  }

  async #path(request: Request, info: ConnectionInfo, url: URL): Promise<Response> {
    const attributes = pathAttributes(request.method, url.pathname);
    const fitting = this.#pathRoutes.filter(({ path }) => pathFits(path, url.pathname));
    const route = fitting.find(({ method }) => method === request.method);
    const user = await this.#userOf(request, info, attributes, route?.access);
    if (!route) throw fitting.length > 0 ? methodNotAllowed() : noSuchPath();
    const context = this.#context(request, info, url, user, attributes);
    return await this.#run(context, route.longRunning ?? false, () => route.handle(context));
  }

  async #userOf(
    request: Request,
    info: ConnectionInfo,
    attributes: Attributes,
    access: Access | undefined,
  ): Promise<User> {
    if (access?.kind === "public") return ANONYMOUS;
    if (access?.kind !== "authenticated") return await this.admit(request, info, attributes);
    const user = await this.#authenticate(request, info);
    if (!user) throw unauthorized();
    return user;
  }

  #context(
    request: Request,
    info: ConnectionInfo,
    url: URL,
    user: User,
    attributes: Attributes,
  ): RequestContext {
    return { request, url, user, info, attributes, api: this.#parts, warnings: [] };
  }

  async #run(
    context: RequestContext,
    longRunning: boolean,
    handle: () => Promise<Response> | Response,
  ): Promise<Response> {
    const identity = context.user === ANONYMOUS
      ? `${context.user.name} ${context.info.remote ?? ""}`
      : context.user.name;
    const { watchesPerUser, requestsPerUser } = this.#parts.limits;
    const what = longRunning ? "watches" : "requests";
    const leave = this.#places.enter(`${what} ${identity}`, {
      most: longRunning ? watchesPerUser : requestsPerUser,
      who: `user "${identity}"`,
      what,
    });
    try {
      const response = await handle();
      for (const text of context.warnings.slice(0, 20)) {
        response.headers.append("warning", `299 - ${JSON.stringify(text.slice(0, 512))}`);
      }
      if (longRunning) return atEnd(response, leave);
      leave();
      return response;
    } catch (error) {
      leave();
      throw error;
    }
  }

  #failure(error: unknown, request: Request, info: ConnectionInfo, subject: Subject): Response {
    if (!info.signal.aborted && !isAppError(error)) {
      this.#parts.log.error("request failed", {
        method: request.method,
        path: new URL(request.url).pathname,
        error: errorText(error),
      });
    }
    return errorResponse(error, subject);
  }
}

/** A namespaced kind is listed and watched over all namespaces, and all else happens inside one. */
function scopeFits(resource: ResourceDef, path: RequestPath, verb: string): boolean {
  if (!resource.namespaced) return path.namespace === undefined;
  return path.namespace !== undefined || verb === "list" || verb === "watch";
}

function pathFits(pattern: string, pathname: string): boolean {
  if (!pattern.endsWith("/*")) return pattern === pathname || `${pattern}/` === pathname;
  return pathname.startsWith(pattern.slice(0, -1));
}
