import { addHeader, type GuestRequest, type GuestResponse } from "./envelope.ts";

/** The environment that a command sees of a request, in CGI's words (RFC 3875 section 4.1). */
export function cgiEnv(
  request: GuestRequest,
  place: { readonly scriptName: string },
): Record<string, string> {
  const env: Record<string, string> = {
    GATEWAY_INTERFACE: "CGI/1.1",
    SERVER_SOFTWARE: "skerry",
    SERVER_PROTOCOL: "HTTP/1.1",
    REQUEST_METHOD: request.method,
    SCRIPT_NAME: place.scriptName === "/" ? "" : place.scriptName,
    PATH_INFO: place.scriptName === "/"
      ? request.path
      : request.path.slice(place.scriptName.length),
    QUERY_STRING: request.query,
    CONTENT_LENGTH: String(request.body.length),
  };
  for (const [name, value] of request.headers) {
    if (name === "content-type") env["CONTENT_TYPE"] = value;
    // `Proxy:` would become HTTP_PROXY, which programs trust (httpoxy, CVE-2016-5385).
    else if (name !== "content-length" && name !== "proxy") {
      env[`HTTP_${name.toUpperCase().replaceAll("-", "_")}`] = value;
    }
  }
  return env;
}

/** Where an optional header block may end at the latest. */
const MAX_BLOCK = 16384;
/** A block begins with one of CGI's own fields (RFC 3875 section 6.3); anything else is the body. */
const BLOCK_START = /^(content-type|status|location)[ \t]*:/i;

/** Reads what a command wrote: an optional header block, then the body. A text says what is wrong. */
export function parseCgi(output: Uint8Array<ArrayBuffer>): GuestResponse | string {
  const head = new TextDecoder("latin1").decode(output.subarray(0, MAX_BLOCK));
  if (!BLOCK_START.test(head)) {
    return { status: 200, headers: [["content-type", "text/plain; charset=utf-8"]], body: output };
  }
  const end = head.match(/\r?\n\r?\n/);
  if (!end || end.index === undefined) {
    return "the output begins like a header block but has no empty line after it";
  }
  const headers: [string, string][] = [];
  let status: number | undefined;
  for (const line of head.slice(0, end.index).split(/\r?\n/)) {
    const colon = line.indexOf(":");
    if (colon < 0) return `the output's header block has the line ${JSON.stringify(line)}`;
    const [name, value] = [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    if (name.toLowerCase() === "status") {
      status = Number.parseInt(value, 10);
      if (!(status >= 200 && status <= 599)) return `the output has the status ${value}`;
      continue;
    }
    const problem = addHeader(headers, name, value);
    if (problem !== undefined) return problem;
  }
  status ??= headers.some(([name]) => name === "location") ? 302 : 200;
  return { status, headers, body: output.subarray(end.index + end[0].length) };
}
