import assert from "node:assert/strict";
import { type KubeObject, RESOURCE_LIST, RESOURCES } from "../../core/api/mod.ts";
import { AppError, ms, silentLogger, systemClock, systemRandom } from "../../core/base/mod.ts";
import { Informer } from "../../core/cache/mod.ts";
import { createApi, type Handler } from "../../core/http/mod.ts";
import { until } from "../../core/http/testing.ts";
import { KubeClient, RemoteStore } from "../../core/kube/mod.ts";
import { FakeApiServer } from "../../core/kube/testing.ts";
import { openSqliteStore, type SqliteStore } from "../../core/store/mod.ts";
import type { Away } from "./node_store.ts";
import { type ClusterPhase, createPodsApi } from "./pods_api.ts";
import { rulesIn } from "./rules.ts";

const { configmaps, deployments, endpointslices } = RESOURCES;
/** What Kubernetes lets everybody do (`system:basic-user`, `system:discovery`). */
const EVERYWHERE = rulesIn({
  resourceRules: [{
    verbs: ["create"],
    apiGroups: ["authorization.k8s.io"],
    resources: ["selfsubjectaccessreviews"],
  }],
  nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/api", "/api/*", "/apis", "/version"] }],
});
const USER = {
  name: "system:serviceaccount:default:robot",
  groups: ["system:serviceaccounts", "system:authenticated"],
};
const OWN = rulesIn({
  resourceRules: [
    { verbs: ["get", "list", "watch"], apiGroups: [""], resources: ["configmaps"] },
    { verbs: ["*"], apiGroups: ["apps"], resources: ["deployments"] },
    { verbs: ["list"], apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"] },
  ],
});

function configMap(name: string, data: Record<string, string> = {}): KubeObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data };
}

/** A cluster, a node that holds some of it, and the node's API for pods. */
class Rig implements AsyncDisposable {
  readonly cluster: SqliteStore = openSqliteStore({ path: ":memory:", clock: systemClock });
  readonly node: SqliteStore = openSqliteStore({ path: ":memory:", clock: systemClock });
  readonly forwarded: string[] = [];
  phase!: ClusterPhase;
  handler!: Handler;
  server!: FakeApiServer;
  client!: KubeClient;
  #change = new AbortController();

  static async open(away: Away | undefined, forward?: (request: Request) => Promise<Response>) {
    const rig = new Rig();
    rig.becomes(away);
    const api = createApi({
      store: rig.cluster,
      resources: RESOURCE_LIST,
      authenticate: () => USER,
      authorize: () => ({ allowed: true, reason: "" }),
      clock: systemClock,
      log: silentLogger,
      version: "1",
    });
    rig.handler = await createPodsApi({
      store: rig.node,
      owner: (token) =>
        token === "good"
          ? {
            account: { namespace: "default", name: "robot" },
            pod: { uid: "u1", name: "app" },
            user: USER,
          }
          : undefined,
      rulesOf: () => ({ own: OWN, everywhere: EVERYWHERE }),
      phase: () => rig.phase,
      forward: async (request, signal) => {
        rig.forwarded.push(`${request.method} ${new URL(request.url).pathname}`);
        const response = await (forward?.(request) ?? api.fetch(request, { signal }));
        // As a connection that is cut.
        const cut = new TransformStream<Uint8Array, Uint8Array>();
        response.body?.pipeTo(cut.writable, { signal }).catch(() => {});
        return new Response(cut.readable, response);
      },
      clock: systemClock,
      log: silentLogger,
      version: "1",
      subresources: [],
    });
    rig.server = await FakeApiServer.start((request, info) => rig.handler(request, info));
    const { server, ca } = rig.server.endpoint;
    rig.client = new KubeClient({
      endpoint: { server, ca, token: () => Promise.resolve("good") },
      clock: systemClock,
      random: systemRandom,
    });
    return rig;
  }

  becomes(away: Away | undefined): void {
    const before = this.#change;
    this.#change = new AbortController();
    this.phase = { away, ends: this.#change.signal };
    before.abort(new AppError("ServiceUnavailable", "it has changed"));
  }

  /** What a pod gets. */
  async ask(path: string, init: RequestInit = {}, token = "good"): Promise<[number, string]> {
    const request = new Request(`https://localhost${path}`, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
    });
    const response = await this.handler(request, { signal: new AbortController().signal });
    return [response.status, await response.text()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    await this.server[Symbol.asyncDispose]();
    this.cluster[Symbol.dispose]();
    this.node[Symbol.dispose]();
  }
}

const MAPS = "/api/v1/namespaces/default/configmaps";

Deno.test("a client that follows a kind sees the cluster, then the node, then the cluster, and misses nothing", async () => {
  await using rig = await Rig.open(undefined);
  for (const name of ["held", "far"]) await rig.cluster.create(configmaps, configMap(name));
  // The node's versions run far ahead of the cluster's: they must never be taken for those.
  for (let i = 0; i < 50; i++) await rig.node.create(configmaps, configMap(`old${i}`));
  for (let i = 0; i < 50; i++) {
    await rig.node.delete({ resource: configmaps, namespace: "default", name: `old${i}` });
  }
  await rig.node.create(configmaps, configMap("held"));
  const informer = new Informer({
    store: new RemoteStore({ client: rig.client, clock: systemClock, random: systemRandom }),
    resource: configmaps,
    selection: { namespace: "default" },
    clock: systemClock,
    random: systemRandom,
    backoff: { base: ms(5), cap: ms(50) },
  });
  const stop = new AbortController();
  const running = informer.run(stop.signal);
  const names = (): string => informer.view.list().map(({ metadata }) => metadata.name).join();
  const word = (name: string): string =>
    (informer.view.get(`default/${name}`)?.data as Record<string, string>)?.["word"] ?? "";
  const say = (store: SqliteStore, name: string, text: string) =>
    store.update({ resource: configmaps, namespace: "default", name }, (object) => ({
      ...object,
      data: { word: text },
    }));
  await until("all of the cluster", () => names() === "far,held" || undefined);
  for (let round = 0; round < 3; round++) {
    await say(rig.cluster, "far", `cluster ${round}`);
    await until("a change there", () => word("far") === `cluster ${round}` || undefined);

    rig.becomes("hub");
    await until("what the node holds", () => names() === "held" || undefined);
    await say(rig.node, "held", `node ${round}`);
    await until("a change here", () => word("held") === `node ${round}` || undefined);
    await say(rig.cluster, "held", `unseen ${round}`);

    rig.becomes(undefined);
    await until("all of the cluster", () => names() === "far,held" || undefined);
    await until("what happened meanwhile", () => word("held") === `unseen ${round}` || undefined);
  }
  stop.abort();
  await running;
});

Deno.test("versions and pages of the one are refused by the other as expired", async () => {
  await using rig = await Rig.open("hub");
  for (const name of ["a", "b"]) {
    await rig.node.create(configmaps, configMap(name));
    await rig.cluster.create(configmaps, configMap(name));
  }
  const list = JSON.parse((await rig.ask(`${MAPS}?limit=1`))[1]);
  const { resourceVersion: here, continue: next } = list.metadata;
  assert.equal((await rig.ask(`${MAPS}?limit=1&continue=${next}`))[0], 200);
  assert.equal((await rig.ask(`${MAPS}?resourceVersion=${here}`))[0], 200);
  const [, one] = await rig.ask(`${MAPS}/a`);
  assert.ok(BigInt(JSON.parse(one).metadata.resourceVersion) > 2n ** 60n);
  rig.becomes(undefined);
  const far = JSON.parse((await rig.ask(`${MAPS}?limit=1`))[1]).metadata;
  for (const query of [`resourceVersion=${here}`, `watch=1&resourceVersion=${here}`]) {
    assert.equal((await rig.ask(`${MAPS}?${query}`))[0], 410, query);
  }
  assert.equal((await rig.ask(`${MAPS}?limit=1&continue=${next}`))[0], 410);
  rig.becomes("hub");
  const [code, text] = await rig.ask(`${MAPS}?watch=1&resourceVersion=${far.resourceVersion}`);
  assert.deepEqual([code, JSON.parse(text).reason], [410, "Expired"]);
  assert.equal((await rig.ask(`${MAPS}?limit=1&continue=${far.continue}`))[0], 410);
  assert.equal((await rig.ask(`${MAPS}?resourceVersion=0`))[0], 200);
});

Deno.test("without a hub a pod reads by its rights, writes nothing, and is told what is not known", async () => {
  await using rig = await Rig.open("hub");
  await rig.node.create(configmaps, configMap("held"));
  await rig.node.create(deployments, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default" },
  }).catch(() => {});
  assert.equal((await rig.ask(`${MAPS}/held`))[0], 200);
  assert.equal((await rig.ask(MAPS, {}, "bad"))[0], 401);
  assert.equal((await rig.ask("/api/v1/namespaces/default/secrets"))[0], 403);
  assert.equal((await rig.ask("/api/v1/namespaces/other/configmaps"))[0], 403);
  assert.equal((await rig.ask("/api/v1/configmaps"))[0], 403);
  assert.equal((await rig.ask("/api/v1/nodes"))[0], 403);
  // It may exist, and "not found" would be taken for a deletion.
  const [missing, why] = await rig.ask(`${MAPS}/other`);
  assert.equal(missing, 503);
  assert.match(why, /does not hold configmaps \\"other\\"/);
  assert.equal((await rig.ask("/apis/apps/v1/namespaces/default/deployments"))[0], 503);
  for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
    assert.equal((await rig.ask(`${MAPS}/held`, { method, body: "{}" }))[0], 503, method);
  }
  for (const path of ["/version", "/api", "/api/v1", "/apis"]) {
    assert.equal((await rig.ask(path))[0], 200, path);
  }
  const review = (verb: string, resource: string): RequestInit => ({
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      spec: { resourceAttributes: { namespace: "default", verb, resource } },
    }),
  });
  const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  const allowed = async (verb: string, resource: string): Promise<boolean> =>
    JSON.parse((await rig.ask(path, review(verb, resource)))[1]).status.allowed;
  assert.equal(await allowed("list", "configmaps"), true);
  assert.equal(await allowed("list", "secrets"), false);
  assert.deepEqual(rig.forwarded, []);
});

Deno.test("without a hub a pod that may list endpoints gets those that the node was sent", async () => {
  await using rig = await Rig.open("hub");
  await rig.node.create(endpointslices, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-1", namespace: "default" },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.42.0.7"] }],
    ports: [],
  });
  const path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
  const [code, text] = await rig.ask(path);
  assert.equal(code, 200, text);
  const [slice] = JSON.parse(text).items;
  assert.equal(slice.metadata.name, "web-1");
  assert.deepEqual(slice.endpoints, [{ addresses: ["10.42.0.7"] }]);
});

Deno.test("a request that is under way when the link goes: a read is answered here, a write is in doubt", async () => {
  const never = Promise.withResolvers<Response>();
  await using rig = await Rig.open(undefined, () =>
    Promise.race([
      never.promise,
      new Promise<Response>((_, reject) =>
        rig.phase.ends.addEventListener("abort", () => reject(rig.phase.ends.reason))
      ),
    ]));
  await rig.node.create(configmaps, configMap("held"));
  const read = rig.ask(`${MAPS}/held`);
  const write = rig.ask(MAPS, { method: "POST", body: "{}" });
  await until("both are sent", () => rig.forwarded.length === 2 || undefined);
  const ends = rig.phase.ends;
  rig.becomes("hub");
  never.reject(ends.reason);
  assert.equal((await read)[0], 200);
  assert.equal((await write)[0], 504);
});

Deno.test("what a pod may not ask is refused with and without a hub", async () => {
  await using rig = await Rig.open(undefined);
  for (const away of [undefined, "hub", "server"] as const) {
    rig.becomes(away);
    assert.equal((await rig.ask(MAPS, { headers: { "impersonate-user": "root" } }))[0], 403);
    assert.equal((await rig.ask(MAPS, {}, "bad"))[0], 401);
    const upgrade = { accept: () => assert.fail("it was accepted") };
    const request = new Request("https://localhost/api/v1/namespaces/default/pods/x/exec", {
      headers: { authorization: "Bearer good" },
    });
    const { status } = await rig.handler(request, { signal: AbortSignal.abort(), upgrade });
    assert.equal(status, 501);
  }
  assert.deepEqual(rig.forwarded, []);
});

/** What a hub says whose API server is away: after all of the request has been sent. */
const nobody = (status: number) => async (request: Request): Promise<Response> => {
  await request.text();
  return new Response("nobody", { status, headers: { "skerry-answered-by": "nobody" } });
};
const WRITE = { method: "POST", body: "{}" };

Deno.test("without the API server a pod reads what the node holds, and is told what is away", async () => {
  await using rig = await Rig.open("server");
  await rig.node.create(configmaps, configMap("held"));
  assert.equal((await rig.ask(`${MAPS}/held`))[0], 200);
  const write = await rig.ask(MAPS, { method: "POST", body: "{}" });
  assert.equal(write[0], 503);
  assert.match(write[1], /the API server is away from the hub, and nothing can be written/);
  assert.match((await rig.ask(`${MAPS}/far`))[1], /API server is away.*does not hold/);
  assert.match(
    (await rig.ask("/api/v1/namespaces/default/secrets"))[1],
    /as the API server is away/,
  );
  assert.deepEqual(rig.forwarded, []);
});

Deno.test("what the hub has no answer to is read from here, but for a watch that would outlive a short outage", async () => {
  let status = 503;
  await using rig = await Rig.open(undefined, (request) => nobody(status)(request));
  await rig.node.create(configmaps, configMap("held"));
  const [code, text] = await rig.ask(MAPS);
  assert.equal(code, 200);
  const { items, metadata: { resourceVersion } } = JSON.parse(text);
  assert.equal(items.length, 1);
  assert.ok(BigInt(resourceVersion) > 2n ** 60n, "the cluster will refuse it");
  assert.equal((await rig.ask(`${MAPS}/held`))[0], 200);
  const [again, watch] = await rig.ask(`${MAPS}?watch=1`);
  assert.equal(again, 503);
  assert.match(watch, /no answer at the moment: try again.*"retryAfterSeconds":1/);
  const [refused, write] = await rig.ask(MAPS, WRITE);
  assert.equal(refused, 503);
  assert.match(write, /API server is away from the hub, and nothing can be written/);
  status = 504;
  const [doubt, why] = await rig.ask(MAPS, WRITE);
  assert.equal(doubt, 504);
  assert.match(why, /API server has gone away before.*may have been done/);
  assert.doesNotMatch(why, /retryAfterSeconds/);
  assert.equal((await rig.ask(`${MAPS}/held`))[0], 200);
});

Deno.test("a watch that the hub has no answer to is from here once the hub has said that the server is away", async () => {
  const rig: Rig = await Rig.open(undefined, (request) => {
    rig.becomes("server");
    return nobody(503)(request);
  });
  await using _ = rig;
  await rig.node.create(configmaps, configMap("held"));
  const request = new Request(`https://localhost${MAPS}?watch=1`, {
    headers: { authorization: "Bearer good" },
  });
  const response = await rig.handler(request, { signal: new AbortController().signal });
  assert.equal(response.status, 200);
  const reader = response.body?.getReader();
  const first = new TextDecoder().decode((await reader?.read())?.value);
  assert.match(first, /"ADDED".*"held"/);
  const next = reader?.read();
  rig.becomes(undefined);
  await until(
    "it ends when the server is back",
    async () => await Promise.resolve(next).then((part) => part?.done, () => true) || undefined,
  );
});
