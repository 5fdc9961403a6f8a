import { deepStrictEqual, match, strictEqual, throws } from "node:assert/strict";
import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import { AppError, isAppError, ms, VirtualClock } from "../../core/base/mod.ts";
import {
  type ConnectionInfo,
  createAuthenticate,
  type Handler,
  rbacLike,
} from "../../core/http/mod.ts";
import { openSqliteStore, type SqliteStore } from "../../core/store/mod.ts";
import { channelPair } from "../../core/wire/testing.ts";
import { createKubeletDoor, parseKubeletPath } from "./door.ts";
import type { OpenStream } from "./pod_log.ts";

const who = (commonName: string, ...organizations: string[]): ConnectionInfo => ({
  signal: new AbortController().signal,
  peer: { commonName, organizations, fingerprint: "f", issuedAt: ms(0), serialNumber: "1" },
});
const ADMIN = who("kube-apiserver-kubelet-client", "system:masters");

/** A door before one pod on node n1; `asked` holds what nodes were asked. */
async function place(): Promise<
  { uid: string; store: SqliteStore; door: Handler; asked: [string, unknown][] } & Disposable
> {
  const clock = new VirtualClock();
  const store = openSqliteStore({ path: ":memory:", clock });
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "default" },
    spec: { nodeName: "n1", containers: [{ name: "main", image: "i" }] },
  };
  const uid = (await store.create(RESOURCES.pods, pod)).metadata.uid ?? "";
  const asked: [string, unknown][] = [];
  const openStream: OpenStream = (node, header) => {
    asked.push([node, header]);
    const closed = Promise.withResolvers<{ code: number; reason: string }>();
    const plain = header.kind === "request";
    return Promise.resolve({
      readable: new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode("from the node"));
          controller.close();
        },
      }),
      writable: new WritableStream(),
      close: () => closed.resolve({ code: 1000, reason: "" }),
      closed: closed.promise,
      head: plain ? { status: 200, type: "text/plain" } : { protocol: "v4.channel.k8s.io" },
    });
  };
  const authenticate = createAuthenticate();
  const door = createKubeletDoor({ store, openStream, authenticate, authorize: rbacLike(), clock });
  return { uid, store, door, asked, [Symbol.dispose]: () => store[Symbol.dispose]() };
}

async function ask(
  door: Handler,
  path: string,
  info: ConnectionInfo = ADMIN,
  init: RequestInit = {},
): Promise<[number, string]> {
  const response = await door(new Request(`https://hub${path}`, init), info);
  return [response.status, await response.text()];
}

Deno.test("parseKubeletPath() reads the paths that name a pod, with and without its UID", () => {
  const read = (method: string, path: string): (string | undefined)[] => {
    const { what, namespace, pod, uid, container } = parseKubeletPath(method, path);
    return [what, namespace, pod, uid, container];
  };
  deepStrictEqual(read("POST", "/exec/a/b/c"), ["exec", "a", "b", undefined, "c"]);
  deepStrictEqual(read("GET", "/exec/a/b/u/c"), ["exec", "a", "b", "u", "c"]);
  deepStrictEqual(read("POST", "/portForward/a/b"), ["portForward", "a", "b", undefined, ""]);
  deepStrictEqual(read("POST", "/portForward/a/b/u"), ["portForward", "a", "b", "u", ""]);
  const refused = (code: string, method: string, path: string): void =>
    throws(
      () => parseKubeletPath(method, path),
      (error) => isAppError(error) && error.code === code,
    );
  for (
    const path of ["/", "/pods", "/stats/summary", "/metrics/cadvisor", "/configz", "/toString"]
  ) {
    refused("BadRequest", "GET", path);
  }
  for (
    const path of ["/exec/a/b", "/exec/a//c", "/exec/a/b/c/d/e", "/portForward/a", "/exec/a/b/%zz"]
  ) {
    refused("NotFound", "POST", path);
  }
  refused("MethodNotAllowed", "GET", "/run/a/b/c");
  refused("MethodNotAllowed", "POST", "/containerLogs/a/b/c");
});

Deno.test("createKubeletDoor() lets in who may proxy to nodes, and nobody else, whatever the path", async () => {
  using at = await place();
  const paths = [
    "/healthz",
    "/pods",
    "/containerLogs/default/web/main",
    "/exec/default/web/main",
    "/x",
  ];
  const bare: ConnectionInfo = { signal: new AbortController().signal };
  for (const path of paths) {
    strictEqual((await ask(at.door, path, bare))[0], 401, path);
    for (const info of [who("n1", "system:nodes"), who("v", "skerry:viewers"), who("x")]) {
      strictEqual((await ask(at.door, path, info))[0], 403, path);
    }
  }
  deepStrictEqual(await ask(at.door, "/healthz"), [200, "ok"]);
  deepStrictEqual(at.asked, []);
});

Deno.test("createKubeletDoor() asks the pod's node, and says where a node's own paths are", async () => {
  using at = await place();
  const logs = "/containerLogs/default/web/main?tailLines=3&follow=true";
  deepStrictEqual(await ask(at.door, logs), [200, "from the node"]);
  const run = await ask(at.door, `/run/default/web/${at.uid}/main?cmd=ls%20-l`, ADMIN, {
    method: "POST",
  });
  deepStrictEqual(run, [200, "from the node"]);
  deepStrictEqual(at.asked, [
    ["n1", { kind: "request", method: "GET", path: logs }],
    ["n1", { kind: "request", method: "POST", path: "/run/default/web/main?cmd=ls%20-l" }],
  ]);
  strictEqual((await ask(at.door, "/containerLogs/default/none/main"))[0], 404);
  strictEqual((await ask(at.door, "/run/default/web/u2/main", ADMIN, { method: "POST" }))[0], 404);
  const [code, text] = await ask(at.door, "/stats/summary");
  strictEqual(code, 400);
  match(JSON.parse(text).message, /\/api\/v1\/nodes\/NAME\/proxy\/stats\/summary/);
});

Deno.test("createKubeletDoor() tells why there is no log by plain text of codes whose text is shown", async () => {
  using at = await place();
  const fails = (error: AppError) =>
    createKubeletDoor({
      store: at.store,
      openStream: () => Promise.reject(error),
      authenticate: createAuthenticate(),
      authorize: rbacLike(),
      clock: new VirtualClock(),
    });
  const logs = async (error: AppError) =>
    await ask(fails(error), "/containerLogs/default/web/main");
  deepStrictEqual(await logs(new AppError("ServiceUnavailable", "no link to node n1")), [
    500,
    "no link to node n1",
  ]);
  deepStrictEqual(await logs(new AppError("BadRequest", "container main is waiting to start")), [
    400,
    "container main is waiting to start",
  ]);
});

Deno.test("createKubeletDoor() opens streams to the pod's node in the kubelet's words", async () => {
  using at = await place();
  const [client, ours] = channelPair();
  let head: Readonly<Record<string, string>> | undefined;
  const upgrade = {
    accept: (headers: Readonly<Record<string, string>>) => {
      head = headers;
      return ours;
    },
  };
  const headers = { upgrade: "SPDY/3.1", "x-stream-protocol-version": "v4.channel.k8s.io" };
  const path = "/exec/default/web/main?command=ls&output=1&error=1";
  const serving = ask(at.door, path, { ...ADMIN, upgrade }, { method: "POST", headers });
  strictEqual(new TextDecoder().decode(await client.read()), "from the node");
  client.close();
  await serving;
  strictEqual(head?.["x-stream-protocol-version"], "v4.channel.k8s.io");
  deepStrictEqual(at.asked, [["n1", {
    kind: "upgrade",
    namespace: "default",
    pod: "web",
    uid: at.uid,
    target: {
      kind: "remote-command",
      container: "main",
      command: ["ls"],
      stdin: false,
      stdout: true,
      stderr: true,
      tty: false,
    },
    offer: { upgrade: "SPDY/3.1", protocols: ["v4.channel.k8s.io"] },
  }]]);
  const plain = await ask(at.door, path, ADMIN, { method: "POST" });
  deepStrictEqual([plain[0], JSON.parse(plain[1]).message], [400, "Upgrade request required"]);
});
