import { apiVersionOf, type ResourceDef } from "../../api/mod.ts";
import { AppError } from "../../base/mod.ts";
import { parseAccept } from "../negotiate.ts";
import { jsonResponse } from "../render.ts";
import { noSuchPath } from "../status.ts";
import type { RequestContext } from "../types.ts";
import { pathsOf } from "./paths.ts";
import { encodeDocumentV2, PROTOBUF_V2 } from "./protobuf.ts";
import { type JsonSchema, SCHEMAS_V2, SCHEMAS_V3, schemasOf } from "./schemas.ts";

/** Answers `/openapi/v2`, `/openapi/v3` and the documents below it. Nothing is kept between requests. */
export async function openApi({ url, api, request }: RequestContext): Promise<Response> {
  const path = url.pathname.replace(/\/$/, "");
  if (path === "/openapi/v2") {
    const document = documentV2(api.resources, api.version);
    if (!wantsProtobuf(request)) return jsonResponse(document);
    return new Response(encodeDocumentV2(document), { headers: { "content-type": PROTOBUF_V2 } });
  }
  if (path === "/openapi/v3") return jsonResponse(await index(api.resources, api.version));
  const wanted = /^\/openapi\/v3\/(api\/v1|apis\/[^/]+\/[^/]+)$/.exec(path)?.[1];
  const resources = api.resources.filter((one) => rootOf(one) === wanted);
  if (wanted === undefined || resources.length === 0) throw noSuchPath();
  if (wantsProtobuf(request)) {
    throw new AppError("UnsupportedMediaType", "OpenAPI 3.0 documents are served as JSON only");
  }
  return jsonResponse(documentV3(resources, api.version));
}

/** Whether a client reads nothing but protobuf. One that takes both is given JSON. */
function wantsProtobuf(request: Request): boolean {
  const accepted = parseAccept(request.headers.get("accept"));
  return accepted.length > 0 && accepted.every(({ type }) => type.includes("protobuf"));
}

function rootOf(resource: ResourceDef): string {
  return resource.group === "" ? "api/v1" : `apis/${apiVersionOf(resource)}`;
}

async function index(resources: readonly ResourceDef[], version: string): Promise<unknown> {
  const paths: Record<string, unknown> = {};
  for (const root of new Set(resources.map(rootOf))) {
    const document = documentV3(resources.filter((one) => rootOf(one) === root), version);
    const data = new TextEncoder().encode(JSON.stringify(document));
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
    paths[root] = { serverRelativeURL: `/openapi/v3/${root}?hash=${hash.toUpperCase()}` };
  }
  return { paths };
}

function documentV3(resources: readonly ResourceDef[], version: string): JsonSchema {
  return {
    openapi: "3.0.0",
    info: { title: "Skerry", version },
    paths: pathsOf(resources),
    components: { schemas: schemasOf(resources, SCHEMAS_V3) },
  };
}

function documentV2(resources: readonly ResourceDef[], version: string): JsonSchema {
  return {
    swagger: "2.0",
    info: { title: "Skerry", version },
    paths: {},
    definitions: schemasOf(resources, SCHEMAS_V2),
  };
}
