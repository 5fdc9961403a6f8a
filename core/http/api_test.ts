import assert from "node:assert/strict";
import { type KubeObject, RESOURCE_LIST, RESOURCES } from "../api/mod.ts";
import { AppError, createLogger, ms, seconds, silentLogger, VirtualClock } from "../base/mod.ts";
import { openSqliteStore, type SqliteStore } from "../store/mod.ts";
import { type Api, type ApiOptions, createApi } from "./api.ts";
import { createAuthenticate } from "./authn.ts";
import { rbacLike, VIEWER_GROUP } from "./authz.ts";
import { pathAttributes } from "./request_info.ts";
import type { PeerCertificate } from "./types.ts";

const PEERS: Record<string, PeerCertificate> = Object.fromEntries(
  [
    ["admin", "admin", ["system:masters"]],
    ["viewer", "vera", [VIEWER_GROUP]],
    ["node", "system:node:n1", ["system:nodes"]],
    ["stranger", "sam", []],
  ].map(([key, commonName, organizations]) => [
    key,
    {
      commonName,
      organizations,
      fingerprint: "",
      issuedAt: ms(0),
      serialNumber: "",
    } as PeerCertificate,
  ]),
);

class Bench {
  readonly clock = new VirtualClock();
  readonly store: SqliteStore;
  readonly api: Api;

  constructor(options: Partial<ApiOptions> = {}) {
    this.store = openSqliteStore({ path: ":memory:", clock: this.clock });
    this.api = createApi({
      store: this.store,
      resources: RESOURCE_LIST,
      authenticate: createAuthenticate(),
      authorize: rbacLike(),
      clock: this.clock,
      log: silentLogger,
      version: "0.1.0",
      ...options,
    });
  }

  async ask(method: string, path: string, options: {
    body?: unknown;
    as?: string | undefined;
    type?: string;
    accept?: string;
    headers?: Record<string, string>;
    signal?: AbortSignal;
  } = {}): Promise<Response> {
    const body = options.body === undefined
      ? undefined
      : typeof options.body === "string"
      ? options.body
      : JSON.stringify(options.body);
    const request = new Request(`https://localhost${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": options.type ?? "application/json" }),
        ...(options.accept ? { accept: options.accept } : {}),
        ...options.headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    const peer = PEERS["as" in options ? options.as ?? "" : "admin"];
    return await this.api.fetch(request, {
      signal: options.signal ?? new AbortController().signal,
      ...(peer ? { peer } : {}),
    });
  }

  async json(
    method: string,
    path: string,
    options: Parameters<Bench["ask"]>[2] = {},
    // deno-lint-ignore no-explicit-any -- JSON of any kind
  ): Promise<any> {
    return await (await this.ask(method, path, options)).json();
  }

  [Symbol.dispose](): void {
    this.store[Symbol.dispose]();
  }
}

const PODS = "/api/v1/namespaces/default/pods";
const MAPS = "/api/v1/namespaces/default/configmaps";
const pod = (name: string, labels: object = {}): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels },
  spec: { containers: [{ name: "c", image: "nginx:1" }] },
});
const configMap = (name: string): object => ({ metadata: { name }, data: { a: "1" } });

Deno.test("every route names its authorisation, and nobody without one gets past it", async () => {
  using bench = new Bench({
    extensions: {
      routes: [{
        method: "GET",
        path: "/healthz",
        access: { kind: "public", because: "it says only ok" },
        handle: () => new Response("ok"),
      }],
      subresources: [{
        resource: "pods",
        subresource: "exec",
        kind: "PodExecOptions",
        verbs: { GET: "create", POST: "create" },
        handle: () => new Response("shell"),
      }, {
        resource: "nodes",
        subresource: "proxy",
        kind: "NodeProxyOptions",
        verbs: { GET: "get" },
        handle: ({ url }) => new Response(url.pathname),
      }],
    },
  });
  const proxied = await bench.ask("GET", "/api/v1/nodes/n/proxy/stats/summary");
  assert.equal(await proxied.text(), "/api/v1/nodes/n/proxy/stats/summary");
  const viewer = await bench.ask("GET", "/api/v1/nodes/n/proxy/stats/summary", { as: "viewer" });
  assert.equal(viewer.status, 403);
  await viewer.body?.cancel();
  const routes = bench.api.inventory();
  assert.ok(routes.length > 100);
  for (const { method, path, access, because } of routes) {
    assert.notEqual(access, "");
    const url = path.replace("{namespace}", "default").replace("{name}", "x").replace("/*", "/x");
    const bare = await bench.ask(method, url, { as: undefined });
    await bare.body?.cancel();
    if (access === "public") {
      assert.ok(because, `${path} is public and says not why`);
      assert.equal(bare.status, 200);
      continue;
    }
    assert.equal(bare.status, 401, `${method} ${path} without a credential`);
    const open = access === "path" || url.includes("selfsubject");
    const stranger = await bench.ask(method, url, { as: "stranger" });
    await stranger.body?.cancel();
    if (!open) assert.equal(stranger.status, 403, `${method} ${path} by a stranger`);
  }
});

Deno.test("viewers read all but Secrets and write nothing; nodes do nothing by default", async () => {
  using bench = new Bench();
  const code = async (
    method: string,
    path: string,
    as: string,
    body?: unknown,
  ): Promise<number> => {
    const answer = await bench.ask(method, path, { as, ...(body ? { body } : {}) });
    await answer.body?.cancel();
    return answer.status;
  };
  assert.equal(await code("GET", PODS, "viewer"), 200);
  assert.equal(await code("GET", "/api/v1/secrets", "viewer"), 403);
  assert.equal(await code("POST", PODS, "viewer", pod("a")), 403);
  assert.equal(await code("GET", "/apis", "viewer"), 200);
  assert.equal(await code("GET", PODS, "node"), 403);
  const refused = await bench.json("POST", PODS, { as: "viewer", body: pod("a") });
  assert.equal(
    refused.message,
    'pods is forbidden: User "vera" cannot create resource "pods" in API group "" in the namespace "default"',
  );
});

Deno.test("an added exec by GET is authorised as create, so viewers cannot use it", async () => {
  using bench = new Bench({
    extensions: {
      subresources: [{
        resource: "pods",
        subresource: "exec",
        kind: "PodExecOptions",
        verbs: { GET: "create" },
        handle: ({ attributes }) => new Response(attributes.verb),
      }],
    },
  });
  assert.equal((await bench.json("GET", `${PODS}/x/exec`, { as: "viewer" })).code, 403);
  assert.equal(await (await bench.ask("GET", `${PODS}/x/exec`)).text(), "create");
});

Deno.test("create, get, update, patch and delete answer as Kubernetes does", async () => {
  using bench = new Bench();
  const made = await bench.json("POST", MAPS, { body: configMap("m") });
  assert.equal(made.kind, "ConfigMap");
  assert.equal(made.metadata.namespace, "default");
  assert.equal((await bench.json("POST", MAPS, { body: configMap("m") })).reason, "AlreadyExists");
  const next = { ...made, data: { a: "2" } };
  const updated = await bench.json("PUT", `${MAPS}/m`, { body: next });
  assert.equal(updated.data.a, "2");
  const stale = await bench.json("PUT", `${MAPS}/m`, { body: { ...next, data: { a: "3" } } });
  assert.deepEqual([stale.code, stale.reason], [409, "Conflict"]);
  const patched = await bench.json("PATCH", `${MAPS}/m`, {
    type: "application/merge-patch+json",
    body: { data: { a: null, b: "4" } },
  });
  assert.deepEqual(patched.data, { b: "4" });
  const gone = await bench.json("DELETE", `${MAPS}/m`);
  assert.equal(gone.status, "Success");
  assert.equal(gone.details.uid, made.metadata.uid);
  const missing = await bench.json("GET", `${MAPS}/m`);
  assert.deepEqual(missing, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: 'configmaps "m" not found',
    reason: "NotFound",
    details: { name: "m", kind: "configmaps" },
    code: 404,
  });
});

Deno.test("clients cannot forge uid, times or the deletion of an object", async () => {
  using bench = new Bench();
  const made = await bench.json("POST", MAPS, {
    body: {
      ...configMap("m"),
      metadata: { name: "m", uid: "forged", deletionTimestamp: "2020-01-01T00:00:00Z" },
    },
  });
  assert.notEqual(made.metadata.uid, "forged");
  assert.equal(made.metadata.deletionTimestamp, undefined);
  const patch = (metadata: object): Promise<{ code?: number; metadata: Record<string, string> }> =>
    bench.json("PATCH", `${MAPS}/m`, { type: "application/merge-patch+json", body: { metadata } });
  assert.equal((await patch({ uid: "other" })).code, 409);
  assert.equal((await patch({ name: "n" })).code, 400);
  const same = await patch({ creationTimestamp: "2001-01-01T00:00:00Z", labels: { a: "b" } });
  assert.equal(same.metadata["creationTimestamp"], made.metadata.creationTimestamp);
});

Deno.test("dryRun=All does everything but the storing", async () => {
  using bench = new Bench();
  assert.equal(
    (await bench.ask("POST", `${MAPS}?dryRun=All`, { body: configMap("m") })).status,
    201,
  );
  assert.equal((await bench.json("GET", `${MAPS}/m`)).code, 404);
  assert.equal(
    (await bench.json("POST", `${MAPS}?dryRun=Some`, { body: configMap("m") })).code,
    400,
  );
});

Deno.test("lists page, select and come as a table when asked", async () => {
  using bench = new Bench();
  for (const name of ["a", "b", "c"]) {
    await bench.json("POST", PODS, { body: pod(name, { app: name === "c" ? "y" : "x" }) });
  }
  const first = await bench.json("GET", `${PODS}?limit=2`);
  assert.deepEqual(first.items.map((one: { metadata: { name: string } }) => one.metadata.name), [
    "a",
    "b",
  ]);
  const rest = await bench.json("GET", `${PODS}?limit=2&continue=${first.metadata.continue}`);
  assert.deepEqual(rest.items.map((one: { metadata: { name: string } }) => one.metadata.name), [
    "c",
  ]);
  const selected = await bench.json("GET", "/api/v1/pods?labelSelector=app%3Dx");
  assert.equal(selected.items.length, 2);
  const table = await bench.json("GET", PODS, {
    accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
  });
  assert.equal(table.kind, "Table");
  assert.deepEqual(table.rows[0].cells.slice(0, 4), ["a", "0/1", "Pending", "0"]);
  assert.equal(table.rows[0].object.kind, "PartialObjectMetadata");
  const bad = await bench.json("GET", `${PODS}?labelSelector=a%20in%20(b`);
  assert.equal(bad.code, 400);
});

async function lines(
  response: Response,
  count: number,
): Promise<{ type: string; object: Record<string, unknown> }[]> {
  const out: string[] = [];
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (reader && out.length < count) {
    const part = await reader.read();
    if (part.done) break;
    text += part.value;
    const whole = text.split("\n");
    text = whole.pop() ?? "";
    out.push(...whole);
  }
  await reader?.cancel();
  return out.slice(0, count).map((line) => JSON.parse(line));
}

Deno.test("a watch sends what is there, then what changes, and can resume", async () => {
  using bench = new Bench();
  await bench.json("POST", MAPS, { body: configMap("a") });
  const list = await bench.json("GET", MAPS);
  const from = list.metadata.resourceVersion;
  const all = await bench.ask("GET", `${MAPS}?watch=true`);
  const later = await bench.ask("GET", `${MAPS}?watch=1&resourceVersion=${from}`);
  await bench.json("POST", MAPS, { body: configMap("b") });
  const name = (event: { object: Record<string, unknown> }): unknown =>
    (event.object["metadata"] as Record<string, unknown>)["name"];
  assert.deepEqual((await lines(all, 2)).map(name), ["a", "b"]);
  assert.deepEqual((await lines(later, 1)).map(name), ["b"]);
});

Deno.test("a watch with sendInitialEvents marks their end (KEP-3157)", async () => {
  using bench = new Bench();
  await bench.json("POST", MAPS, { body: configMap("a") });
  const query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan" +
    "&allowWatchBookmarks=true";
  const [added, end] = await lines(await bench.ask("GET", `${MAPS}?${query}`), 2);
  assert.equal(added?.type, "ADDED");
  assert.equal(end?.type, "BOOKMARK");
  assert.deepEqual((end?.object["metadata"] as Record<string, unknown>)["annotations"], {
    "k8s.io/initial-events-end": "true",
  });
  const bad = await bench.json("GET", `${MAPS}?watch=true&sendInitialEvents=true`);
  assert.equal(bad.code, 400);
});

Deno.test("a watch ends at its timeout and when the client goes away", async () => {
  using bench = new Bench();
  const timed = await bench.ask("GET", `${MAPS}?watch=true&timeoutSeconds=5`);
  const text = timed.text();
  await bench.clock.advance(seconds(6));
  assert.equal(await text, "");
  const gone = new AbortController();
  const open = await bench.ask("GET", `${MAPS}?watch=true`, { signal: gone.signal });
  const rest = open.text();
  gone.abort();
  assert.equal(await rest, "");
});

Deno.test("a watch whose client leaves ends without an error in the log", async () => {
  const logged: string[] = [];
  const log = createLogger({ level: "error", write: (line) => logged.push(line) });
  using bench = new Bench({ log });
  await bench.json("POST", MAPS, { body: configMap("a") });
  const open = await bench.ask("GET", `${MAPS}?watch=true`);
  const reader = open.body?.getReader();
  assert.equal((await reader?.read())?.done, false);
  const waiting = reader?.read();
  // Another request and all that was queued before it has run: the watch waits for an event.
  await bench.json("GET", MAPS);
  await reader?.cancel();
  assert.equal((await waiting)?.done, true);
  await bench.json("GET", MAPS);
  assert.deepEqual(logged, []);
});

Deno.test("a quiet watch with bookmarks says once a minute that it lives", async () => {
  using bench = new Bench();
  await bench.json("POST", MAPS, { body: configMap("a") });
  const quiet = await bench.ask("GET", `${MAPS}?watch=true&allowWatchBookmarks=true`);
  const reading = lines(quiet, 3);
  for (let i = 0; i < 2; i++) await bench.clock.advance(seconds(61));
  const [added, ...beats] = await reading;
  assert.equal(added?.type, "ADDED");
  const { resourceVersion } = (await bench.json("GET", MAPS)).metadata;
  for (const beat of beats) {
    assert.equal(beat.type, "BOOKMARK");
    assert.deepEqual(beat.object["metadata"], { name: "", resourceVersion });
  }
});

Deno.test("a watch from a version that is gone says Expired", async () => {
  using bench = new Bench();
  const answer = await bench.ask("GET", `${MAPS}?watch=true&resourceVersion=999999`);
  const text = await answer.text();
  assert.ok(answer.status === 410 || text.includes('"code":410'), `${answer.status} ${text}`);
});

Deno.test("a user with too many watches gets 429 and a time to wait, until one ends", async () => {
  using bench = new Bench({ limits: { watchesPerUser: 2 } });
  const open = [
    await bench.ask("GET", `${MAPS}?watch=true`),
    await bench.ask("GET", `${MAPS}?watch=true`),
  ];
  const refused = await bench.ask("GET", `${MAPS}?watch=true`);
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.match((await refused.json()).message, /2 watches under way/);
  const other = await bench.ask("GET", `${MAPS}?watch=true`, { as: "viewer" });
  assert.equal(other.status, 200);
  await other.body?.cancel();
  await open[0]?.body?.cancel();
  const again = await bench.ask("GET", `${MAPS}?watch=true`);
  assert.equal(again.status, 200);
  await again.body?.cancel();
  await open[1]?.body?.cancel();
});

Deno.test.each<[string, Record<string, unknown>, number, RegExp]>([
  [
    "deep JSON",
    { body: `${"[".repeat(5000)}${"]".repeat(5000)}` },
    400,
    /nested 5000 levels deep: the limit is 128/,
  ],
  ["broken JSON", { body: "{" }, 400, /not valid JSON/],
  ["a list", { body: "[]" }, 400, /must be one JSON object/],
  ["nothing", {}, 400, /body is empty/],
  ["__proto__", { body: '{"metadata":{"name":"a"},"__proto__":{"x":1}}' }, 400, /__proto__/],
  ["YAML", { body: "a: b", type: "application/yaml" }, 415, /unknown format/],
  ["gzip", { body: "x", headers: { "content-encoding": "gzip" } }, 415, /uncompressed/],
  [
    "a body too large",
    { body: { data: { a: "x".repeat(4_000_000) } } },
    413,
    /limit is 3145728 bytes/,
  ],
  [
    "another kind",
    { body: { kind: "Secret", metadata: { name: "a" } } },
    400,
    /cannot be handled as a ConfigMap/,
  ],
  [
    "another namespace",
    { body: { metadata: { name: "a", namespace: "b" } } },
    400,
    /does not match the namespace/,
  ],
  [
    "damaged protobuf",
    { body: "k8s\u0000\u0012\u00ff", type: "application/vnd.kubernetes.protobuf" },
    400,
    /protobuf/,
  ],
])("POST refuses %s", async (_what, options, code, message) => {
  using bench = new Bench();
  const answer = await bench.json("POST", MAPS, options);
  assert.equal(answer.code, code);
  assert.match(answer.message, message);
});

Deno.test("URLs that are too long or odd get a Status", async () => {
  using bench = new Bench();
  assert.equal((await bench.json("GET", `/api/v1/pods?a=${"x".repeat(9000)}`)).code, 413);
  for (
    const path of [
      "/api/v1/pods/%zz",
      "/apis/x/v1/pods",
      "/nothing",
      "/api/v1/namespaces/a/pods/b/c",
    ]
  ) {
    assert.equal((await bench.json("GET", path)).code, 404, path);
  }
  assert.equal((await bench.json("PUT", PODS, { body: {} })).code, 405);
  assert.equal((await bench.json("POST", "/api/v1/pods", { body: pod("a") })).code, 404);
});

Deno.test("fieldValidation: Strict refuses unknown fields, Warn warns, wrong types are always refused", async () => {
  using bench = new Bench();
  const body = { ...pod("a"), spec: { containers: [{ name: "c", image: "x", imagee: "y" }] } };
  const strict = await bench.json("POST", `${PODS}?fieldValidation=Strict`, { body });
  assert.equal(
    strict.message,
    'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.containers[0].imagee"',
  );
  const warned = await bench.ask("POST", PODS, { body });
  assert.equal(warned.status, 201);
  assert.equal(
    warned.headers.get("warning"),
    `299 - "unknown field \\"spec.containers[0].imagee\\""`,
  );
  await warned.body?.cancel();
  const wrong = await bench.json("POST", `${PODS}?fieldValidation=Ignore`, {
    body: { ...pod("b"), spec: { containers: "none" } },
  });
  assert.match(wrong.message, /spec.containers: must be a list, not "none"/);
});

Deno.test("an object that fails validation gets 422 with its fields", async () => {
  using bench = new Bench();
  const answer = await bench.json("POST", PODS, { body: { ...pod("a"), spec: {} } });
  assert.equal(answer.message, 'Pod "a" is invalid: spec.containers: Required value');
  assert.deepEqual(answer.details, {
    name: "a",
    kind: "Pod",
    causes: [{ reason: "FieldValueRequired", message: "Required value", field: "spec.containers" }],
  });
});

Deno.test("status is written through its own subresource only", async () => {
  using bench = new Bench();
  await bench.json("POST", PODS, { body: pod("a") });
  const type = "application/merge-patch+json";
  await bench.json("PATCH", `${PODS}/a`, { type, body: { status: { phase: "Running" } } });
  assert.equal((await bench.json("GET", `${PODS}/a`)).status.phase, "Pending");
  await bench.json("PATCH", `${PODS}/a/status`, {
    type,
    body: { status: { phase: "Running" }, spec: { nodeName: "n" } },
  });
  const after = await bench.json("GET", `${PODS}/a/status`);
  assert.equal(after.status.phase, "Running");
  assert.equal(after.spec.nodeName, undefined);
});

Deno.test("binding gives a pod to a node once, and eviction deletes it", async () => {
  using bench = new Bench();
  await bench.json("POST", PODS, { body: pod("a") });
  const bind = (name: string): Promise<{ status: string; code: number }> =>
    bench.json("POST", `${PODS}/a/binding`, { body: { target: { kind: "Node", name } } });
  assert.equal((await bind("n1")).status, "Success");
  assert.equal((await bench.json("GET", `${PODS}/a`)).spec.nodeName, "n1");
  assert.equal((await bind("n2")).code, 409);
  assert.equal((await bench.json("POST", `${PODS}/a/eviction`, { body: {} })).status, "Success");
  assert.ok((await bench.json("GET", `${PODS}/a`)).metadata.deletionTimestamp);
});

Deno.test("scale reads and writes replicas, with the version as a guard", async () => {
  using bench = new Bench();
  const path = "/apis/apps/v1/namespaces/default/deployments";
  const template = {
    metadata: { labels: { a: "b" } },
    spec: { containers: [{ name: "c", image: "x" }] },
  };
  await bench.json("POST", path, {
    body: { metadata: { name: "d" }, spec: { selector: { matchLabels: { a: "b" } }, template } },
  });
  const scale = await bench.json("GET", `${path}/d/scale`);
  assert.equal(scale.spec.replicas, 1);
  assert.equal(scale.status.selector, "a=b");
  const set = (replicas: unknown): Promise<{ code: number; spec: { replicas: number } }> =>
    bench.json("PUT", `${path}/d/scale`, { body: { ...scale, spec: { replicas } } });
  assert.equal((await set(3)).spec.replicas, 3);
  assert.equal((await set(4)).code, 409);
  const type = "application/merge-patch+json";
  assert.equal(
    (await bench.json("PATCH", `${path}/d/scale`, { type, body: { spec: { replicas: -1 } } })).code,
    422,
  );
  assert.equal((await bench.json("GET", `${path}/d`)).spec.replicas, 3);
});

Deno.test("patches of an unknown form are refused, apply patches with what to do", async () => {
  using bench = new Bench();
  await bench.json("POST", MAPS, { body: configMap("m") });
  const apply = await bench.json("PATCH", `${MAPS}/m`, {
    type: "application/apply-patch+yaml",
    body: "{}",
  });
  assert.equal(apply.code, 415);
  assert.match(apply.message, /use kubectl apply without --server-side/);
});

Deno.test("an error that is no AppError is told as InternalError without its text", async () => {
  using bench = new Bench({
    extensions: {
      routes: [{
        method: "GET",
        path: "/boom",
        access: { kind: "authenticated" },
        handle: () => {
          throw new Error("password=hunter2");
        },
      }, {
        method: "GET",
        path: "/busy",
        access: { kind: "authenticated" },
        handle: () => {
          throw new AppError("ServiceUnavailable", "node n1 is not connected", {
            retryAfterSeconds: 3,
          });
        },
      }],
    },
  });
  const answer = await bench.ask("GET", "/boom");
  assert.equal(answer.status, 500);
  assert.ok(!(await answer.text()).includes("hunter2"));
  const busy = await bench.ask("GET", "/busy");
  assert.equal(busy.headers.get("retry-after"), "3");
  assert.equal((await busy.json()).reason, "ServiceUnavailable");
});

Deno.test("ephemeralcontainers and resize change their part of a pod and nothing else", async () => {
  using bench = new Bench();
  await bench.json("POST", PODS, { body: pod("a") });
  const type = "application/strategic-merge-patch+json";
  const debug = { name: "dbg", image: "tools:1", stdin: true, tty: true, targetContainerName: "c" };
  const added = await bench.json("PATCH", `${PODS}/a/ephemeralcontainers`, {
    type,
    body: {
      metadata: { labels: { not: "taken" } },
      spec: { hostNetwork: true, ephemeralContainers: [debug] },
    },
  });
  assert.equal(added.kind, "Pod");
  assert.equal(added.spec.ephemeralContainers[0].imagePullPolicy, "IfNotPresent");
  assert.deepEqual([added.spec.hostNetwork, added.metadata.labels], [undefined, {}]);
  assert.equal(added.metadata.generation, 2);
  const read = await bench.json("GET", `${PODS}/a/ephemeralcontainers`);
  read.spec.ephemeralContainers = [];
  const removed = await bench.ask("PUT", `${PODS}/a/ephemeralcontainers`, { body: read });
  assert.equal(removed.status, 422);
  assert.match(await removed.text(), /may not be removed/);
  const requests = { cpu: "1" };
  const sized = await bench.json("PATCH", `${PODS}/a/resize`, {
    type,
    body: { spec: { containers: [{ name: "c", image: "other", resources: { requests } }] } },
  });
  // It asked for nothing before, so its class would change.
  assert.match(sized.message, /QOS Class may not change/);
  const stale = { ...read, metadata: { ...read.metadata, resourceVersion: "1" } };
  const conflict = await bench.ask("PUT", `${PODS}/a/resize`, { body: stale });
  assert.equal(conflict.status, 409);
  await conflict.body?.cancel();
});

Deno.test("delete of a collection takes what the selector chooses", async () => {
  using bench = new Bench();
  for (const name of ["a", "b"]) await bench.json("POST", PODS, { body: pod(name, { app: name }) });
  const gone = await bench.json("DELETE", `${PODS}?labelSelector=app%3Da`);
  assert.equal(gone.items.length, 1);
  const left = await bench.store.list(RESOURCES.pods);
  assert.deepEqual(left.items.map((one) => one.metadata.name), ["b"]);
});

Deno.test.each(["mirror", "source", "hash"])(
  "users cannot add, change or remove the annotation config.%s of static pods",
  async (word) => {
    using bench = new Bench();
    const key = `kubernetes.io/config.${word}`;
    const annotated = (object: object): object => ({
      ...object,
      metadata: { name: "a", annotations: { [key]: "1" } },
    });
    const made = await bench.json("POST", PODS, { body: annotated(pod("a")) });
    assert.equal(made.code, 422);
    assert.match(
      made.message,
      /annotations\[kubernetes\.io\/config\.\w+\]: Forbidden: may not add/,
    );
    const type = "application/merge-patch+json";
    const patch = (name: string, value: unknown) =>
      bench.json("PATCH", `${PODS}/${name}`, {
        type,
        body: { metadata: { annotations: { [key]: value } } },
      });
    await bench.json("POST", PODS, { body: pod("a") });
    assert.match((await patch("a", "1")).message, /Forbidden: may not add/);
    const replaced = await bench.json("PUT", `${PODS}/a`, { body: annotated(pod("a")) });
    assert.equal(replaced.code, 422);
    assert.equal((await bench.json("GET", `${PODS}/a`)).metadata.annotations?.[key], undefined);

    // What a node has made through the store keeps its mark, takes other changes and can be deleted.
    const mirror = { ...annotated(pod("")) as KubeObject };
    mirror.metadata = { ...mirror.metadata, name: "b", namespace: "default" };
    await bench.store.create(RESOURCES.pods, mirror);
    assert.match((await patch("b", null)).message, /Forbidden: may not remove/);
    assert.match((await patch("b", "2")).message, /Forbidden: may not change/);
    const labelled = await bench.json("PATCH", `${PODS}/b`, {
      type,
      body: { metadata: { labels: { a: "b" } } },
    });
    assert.deepEqual([labelled.metadata.labels, labelled.metadata.annotations], [{ a: "b" }, {
      [key]: "1",
    }]);
    assert.equal((await bench.ask("DELETE", `${PODS}/b?gracePeriodSeconds=0`)).status, 200);
    assert.equal((await bench.json("GET", `${PODS}/b`)).code, 404);
  },
);

Deno.test("a workload's pod template cannot make its pods mirrors", async () => {
  using bench = new Bench();
  const body = (annotations: object): object => ({
    metadata: { name: "d" },
    spec: {
      selector: { matchLabels: { a: "b" } },
      template: {
        metadata: { labels: { a: "b" }, annotations },
        spec: { containers: [{ name: "c", image: "x" }] },
      },
    },
  });
  const path = "/apis/apps/v1/namespaces/default/daemonsets";
  const mark = { "kubernetes.io/config.mirror": "1" };
  const refused = await bench.json("POST", path, { body: body(mark) });
  assert.equal(refused.code, 422);
  assert.match(
    refused.message,
    /spec\.template\.metadata\.annotations\[kubernetes\.io\/config\.mirror/,
  );
  assert.equal((await bench.ask("POST", path, { body: body({ a: "b" }) })).status, 201);
  assert.equal((await bench.json("PUT", `${path}/d`, { body: body(mark) })).code, 422);
});

Deno.test.each(["User", "Group", "Uid", "Extra-scopes"])(
  "a request with Impersonate-%s is refused, and not served as who sent it",
  async (name) => {
    using bench = new Bench();
    const headers = { [`Impersonate-${name}`]: "nobody" };
    const answer = await bench.json("POST", MAPS, { body: configMap("m"), headers });
    assert.deepEqual([answer.kind, answer.code, answer.reason], ["Status", 403, "Forbidden"]);
    assert.match(answer.message, /impersonation is not served/);
    assert.equal((await bench.json("GET", "/version", { headers })).code, 403);
    assert.equal((await bench.json("GET", `${MAPS}/m`)).code, 404);
    const request = new Request("https://localhost/api/v1/pods", { headers });
    const info = { signal: new AbortController().signal, peer: PEERS["admin"] as PeerCertificate };
    await assert.rejects(
      bench.api.admit(request, info, pathAttributes("GET", "/version")),
      /impersonation/,
    );
  },
);

Deno.test("/version says which Kubernetes is served, and by which Skerry", async () => {
  using bench = new Bench({ version: "1.2.3" });
  const version = await bench.json("GET", "/version");
  assert.deepEqual([version.major, version.minor], ["1", "34"]);
  assert.equal(version.gitVersion, "v1.34.0-skerry.1.2.3");
});

Deno.test("null is absent in what is created, replaced and patched", async () => {
  using bench = new Bench();
  const made = pod("a") as KubeObject;
  const body = {
    ...made,
    metadata: { ...made.metadata, finalizers: null, creationTimestamp: null },
    spec: { ...made["spec"], initContainers: null, volumes: [{ name: "v", emptyDir: null }] },
  };
  await bench.json("POST", PODS, { body });
  const stored = await bench.store.get({
    resource: RESOURCES.pods,
    namespace: "default",
    name: "a",
  });
  assert.equal(JSON.stringify(stored).includes("null"), false);
  assert.deepEqual(stored["spec"].volumes, [{ name: "v", emptyDir: {} }]);
  const patched = await bench.json("PATCH", `${PODS}/a`, {
    type: "application/json-patch+json",
    body: [{ op: "add", path: "/metadata/labels", value: { a: "b", c: null } }],
  });
  assert.deepEqual(patched.metadata.labels, { a: "b" });
  const bad = { ...made, metadata: { name: "b" }, spec: { ...made["spec"], containers: [null] } };
  const refused = await bench.json("POST", PODS, { body: bad });
  assert.equal(refused.code, 400);
  assert.equal(refused.message, "spec.containers[0]: must not be null");
});
