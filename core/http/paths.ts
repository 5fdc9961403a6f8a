import { AGGREGATED_TYPE, type Discovery } from "./discovery.ts";
import { parseAccept } from "./negotiate.ts";
import { jsonResponse } from "./render.ts";
import { noSuchPath } from "./status.ts";
import type { ExtraRoute, RequestContext } from "./types.ts";

/** The server's answer to `/version`, as Kubernetes' `version.Info`. */
export function versionInfo(version: string): Record<string, string> {
  const [, major = "", minor = ""] = /^v(\d+)\.(\d+)/.exec(version) ?? [];
  return {
    major,
    minor,
    gitVersion: version,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: "",
    compiler: "deno",
    platform: `${Deno.build.os}/${Deno.build.arch === "x86_64" ? "amd64" : "arm64"}`,
  };
}

/** The paths of discovery, version and OpenAPI. Everybody with a good credential may read them. */
export function discoveryRoutes(discovery: Discovery, version: string): ExtraRoute[] {
  const get = (path: string, handle: ExtraRoute["handle"]): ExtraRoute => ({
    method: "GET",
    path,
    access: { kind: "authorized" },
    handle,
  });
  const found = (value: unknown): Response => {
    if (value === undefined) throw noSuchPath();
    return jsonResponse(value);
  };
  const root = (name: "api" | "apis") => ({ request }: RequestContext): Response => {
    if (!wantsAggregated(request)) {
      return jsonResponse(name === "api" ? discovery.apiVersions() : discovery.groupList());
    }
    return new Response(JSON.stringify(discovery.aggregated(name)), {
      headers: { "content-type": AGGREGATED_TYPE, vary: "Accept" },
    });
  };
  return [
    get("/version", () => jsonResponse(versionInfo(version))),
    get("/api", root("api")),
    get("/apis", root("apis")),
    get("/api/*", ({ url }) => {
      const [, version = "", ...more] = partsOf(url);
      return found(more.length > 0 ? undefined : discovery.resourceList("", version));
    }),
    get("/apis/*", ({ url }) => {
      const [, group = "", version, ...more] = partsOf(url);
      if (more.length > 0) throw noSuchPath();
      return found(
        version === undefined ? discovery.group(group) : discovery.resourceList(group, version),
      );
    }),
    // Large and seldom asked for: loaded and built when somebody asks.
    get("/openapi/*", async (context) => {
      const { openApi } = await import("./openapi/mod.ts");
      return openApi(context);
    }),
  ];
}

function partsOf(url: URL): string[] {
  return url.pathname.replace(/\/$/, "").split("/").slice(1);
}

function wantsAggregated(request: Request): boolean {
  return parseAccept(request.headers.get("accept")).some(({ type, parameters }) =>
    type === "application/json" && parameters["g"] === "apidiscovery.k8s.io" &&
    parameters["v"] === "v2" && parameters["as"] === "APIGroupDiscoveryList"
  );
}
