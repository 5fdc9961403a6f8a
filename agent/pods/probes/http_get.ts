import { hostAndPort } from "../../../core/base/mod.ts";
import { kubernetesVersion } from "../../../core/parts/mod.ts";
import { connectTcp, connectTls } from "./connection.ts";
import { type HttpResponse, HttpResponseReader } from "./http_response.ts";
import type { HttpHeader } from "./spec.ts";

/** One GET request. */
export interface HttpGet {
  readonly scheme: "http" | "https";
  /** An address, or a name that this process may look up and connect to. */
  readonly hostname: string;
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  readonly headers: readonly HttpHeader[];
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// deno-lint-ignore no-control-regex -- what must not stand in a header's value
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;

/** What a probe says it is. */
export const USER_AGENT = `kube-probe/${/\d+\.\d+/.exec(kubernetesVersion(""))?.[0]}`;

/**
 * One GET over a connection of its own, which is closed before this settles. Written by hand
 * because `fetch` verifies certificates, keeps connections and costs more than the probe itself.
 */
export async function httpGet(request: HttpGet, signal: AbortSignal): Promise<HttpResponse> {
  const head = new TextEncoder().encode(requestHead(request));
  const connect = request.scheme === "https" ? connectTls : connectTcp;
  using connection = await connect(request, signal);
  await connection.write(head);
  const reader = new HttpResponseReader();
  for (let part = await connection.read(); part; part = await connection.read()) {
    if (reader.push(part)) break;
  }
  return reader.end();
}

/** The URL of a request, for messages. */
export function urlOf({ scheme, hostname, port, path }: HttpGet): string {
  return `${scheme}://${hostAndPort(hostname, port)}${path}`;
}

function requestHead(request: HttpGet): string {
  const own = request.headers.map(({ name, value }) => {
    if (!TOKEN.test(name)) throw new Error(`invalid header field name ${JSON.stringify(name)}`);
    if (CONTROL.test(value)) throw new Error(`invalid header field value for ${name}`);
    return { name, value };
  });
  const has = (name: string): boolean => own.some((one) => one.name.toLowerCase() === name);
  const lines = [
    `GET ${request.path} HTTP/1.1`,
    ...(has("host") ? [] : [`Host: ${hostAndPort(request.hostname, request.port)}`]),
    ...(has("user-agent") ? [] : [`User-Agent: ${USER_AGENT}`]),
    ...(has("accept") ? [] : ["Accept: */*"]),
    // An empty Accept of the pod means none at all.
    ...own.filter((one) => one.value !== "" || one.name.toLowerCase() !== "accept")
      .map(({ name, value }) => `${name}: ${value}`),
    "Connection: close",
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}
