import { connectionWords, type ProbeOutcome } from "./outcome.ts";
import { hostAndPort } from "../../../core/base/mod.ts";
import { type HttpGet, httpGet, urlOf } from "./http_get.ts";
import type { HttpHeader } from "./spec.ts";

const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Asks over HTTP and follows redirects to the same host, as a kubelet does: 200 to 399 is well, but
 * what points elsewhere is a warning. Throws when `signal` aborts.
 */
export async function httpProbe(first: HttpGet, signal: AbortSignal): Promise<ProbeOutcome> {
  let request: HttpGet = { ...first, path: pathOf(first.path) };
  const failed = (why: string): ProbeOutcome => ({
    result: "failure",
    output: `Get "${urlOf(request)}": ${why}`,
  });
  for (let count = 0;; count++) {
    let response;
    try {
      response = await httpGet(request, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Deno.errors.NotCapable) throw error;
      return failed(connectionWords(error, hostAndPort(request.hostname, request.port)));
    }
    const { status, location, body } = response;
    if (status < 200 || status >= 400) {
      return { result: "failure", output: `HTTP probe failed with statuscode: ${status}` };
    }
    if (status < 300) return { result: "success", output: body };
    const next = location && REDIRECTS.has(status) ? redirected(request, location) : undefined;
    if (!next) {
      return { result: "warning", output: `Probe terminated redirects, Response body: ${body}` };
    }
    if (count + 1 >= MAX_REDIRECTS) return failed(`stopped after ${MAX_REDIRECTS} redirects`);
    request = next;
  }
}

/** The next request; `undefined` when it would go to another host. */
function redirected(request: HttpGet, location: string): HttpGet | undefined {
  const url = URL.parse(location, urlOf(request));
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:")) return undefined;
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  if (hostname !== request.hostname) return undefined;
  const scheme = url.protocol === "https:" ? "https" : "http";
  // A pod's own Host header names the server that it meant; an absolute location names another.
  const relative = URL.parse(location) === null;
  return {
    scheme,
    hostname,
    port: url.port ? Number(url.port) : scheme === "https" ? 443 : 80,
    path: url.pathname + url.search,
    headers: relative ? request.headers : request.headers.filter(isNotHost),
  };
}

function isNotHost({ name }: HttpHeader): boolean {
  return name.toLowerCase() !== "host";
}

/** The path and query of what a pod names as path, with what must not stand in a request escaped. */
export function pathOf(path: string): string {
  const url = new URL("http://h");
  const [, name = "", query = ""] = /^([^?#]*)(?:\?([^#]*))?/.exec(path) ?? [];
  url.pathname = name;
  url.search = query;
  return url.pathname + url.search;
}
