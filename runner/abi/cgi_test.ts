import assert from "node:assert/strict";
import { cgiEnv, parseCgi } from "./cgi.ts";

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

Deno.test("cgiEnv() names the request in CGI's words and gives no HTTP_PROXY", () => {
  const env = cgiEnv({
    ...{ method: "POST", path: "/up/a", query: "q=1", body: bytes("abc") },
    headers: [["content-type", "text/plain"], ["x-id", "7"], ["proxy", "evil"]],
  }, { scriptName: "/up" });
  assert.equal(env["REQUEST_METHOD"], "POST");
  assert.equal(env["SCRIPT_NAME"], "/up");
  assert.equal(env["PATH_INFO"], "/a");
  assert.equal(env["QUERY_STRING"], "q=1");
  assert.equal(env["CONTENT_LENGTH"], "3");
  assert.equal(env["CONTENT_TYPE"], "text/plain");
  assert.equal(env["HTTP_X_ID"], "7");
  assert.equal(env["HTTP_PROXY"], undefined);
});

const CASES: readonly [string, string, number, [string, string][], string][] = [
  ["plain text", "hello\n", 200, [["content-type", "text/plain; charset=utf-8"]], "hello\n"],
  ["nothing", "", 200, [["content-type", "text/plain; charset=utf-8"]], ""],
  [
    "text with a colon",
    "note: x\n\ny",
    200,
    [["content-type", "text/plain; charset=utf-8"]],
    "note: x\n\ny",
  ],
  ["a block", "Content-Type: a/b\n\nbody", 200, [["content-type", "a/b"]], "body"],
  ["a status", "Status: 404 Not Found\r\nX: 1\r\n\r\nno", 404, [["x", "1"]], "no"],
  ["a redirect", "Location: /x\n\n", 302, [["location", "/x"]], ""],
];

for (const [what, output, status, headers, body] of CASES) {
  Deno.test(`parseCgi() reads ${what}`, () => {
    const result = parseCgi(bytes(output));
    assert.ok(typeof result !== "string");
    assert.equal(result.status, status);
    assert.deepEqual(result.headers, headers);
    assert.equal(new TextDecoder().decode(result.body), body);
  });
}

for (
  const output of ["Status: 200\nno end", "Status: 9\n\n", "Content-Type: a\nbad line\n\n"]
) {
  Deno.test(`parseCgi() says what is wrong with ${JSON.stringify(output)}`, () => {
    assert.equal(typeof parseCgi(bytes(output)), "string");
  });
}
