import assert from "node:assert/strict";
import {
  type Clock,
  type ErrorCode,
  hours,
  isAppError,
  ms,
  seconds,
  systemClock,
  systemRandom,
} from "../../core/base/mod.ts";
import { RESOURCES } from "../../core/api/mod.ts";
import { KubeClient, type KubeEndpoint, readEndpoint, RemoteStore } from "../../core/kube/mod.ts";
import { type Regress, VersionMark } from "../../core/kube/version_mark.ts";
import { createKey, type Credential, issueCertificate, loadKeyPair } from "../../core/pki/mod.ts";
import { makePki } from "../../core/http/testing.ts";
import { freePort } from "../../tools/free_port.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { TestCluster } from "./cluster.ts";
import { Follow, hastyClock, Writer } from "./faults_lib.ts";

const { configmaps, namespaces, secrets } = RESOURCES;
const NAMESPACE = "faults";

let cluster: TestCluster;
let endpoint: KubeEndpoint;

Deno.test.beforeAll(async () => {
  cluster = await TestCluster.start();
  endpoint = await readEndpoint(cluster.parts.kubeconfig);
  // They would write beside the tests.
  await cluster.parts.stop("scheduler");
  await cluster.parts.stop("controller-manager");
});

Deno.test.afterAll(async () => await cluster[Symbol.asyncDispose]());

/** A client and a store of their own. */
function storeAt(
  options: {
    clock?: Clock;
    timeout?: number;
    user?: string;
    endpoint?: KubeEndpoint;
    mark?: VersionMark;
  } = {},
): { client: KubeClient; store: RemoteStore } & Disposable {
  const { clock = systemClock, user, timeout, mark } = options;
  const random = systemRandom;
  const client = new KubeClient({
    endpoint: options.endpoint ?? endpoint,
    clock,
    random,
    ...(timeout === undefined ? {} : { timeout: ms(timeout) }),
  });
  const store = new RemoteStore({
    client,
    clock,
    random,
    ...(mark === undefined ? {} : { mark }),
    ...(user === undefined ? {} : { as: () => ({ user }) }),
  });
  return { client, store, [Symbol.dispose]: () => client[Symbol.dispose]() };
}

/** Makes an empty namespace and gives its name. */
async function freshNamespace(): Promise<string> {
  const name = `${NAMESPACE}-${crypto.randomUUID().slice(0, 8)}`;
  await cluster.store.create(namespaces, {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name },
  });
  return name;
}

async function killApiServer(): Promise<void> {
  await cluster.parts.signal("apiserver", "SIGKILL");
  await until("it is gone", async () => await cluster.parts.pid("apiserver") === undefined);
}

/** Any other object: the versions of ConfigMaps are old afterwards. */
async function writeElsewhere(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await cluster.store.create(secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { generateName: "elsewhere-", name: "", namespace: "default" },
    });
  }
}

async function rejects(promise: Promise<unknown>, code: ErrorCode, text = /./): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(isAppError(error, code), String(error));
    assert.match(error.message, text);
    return true;
  });
}

Deno.test("an API server that stands still: calls end in time, and nothing is lost or told twice", async () => {
  const namespace = await freshNamespace();
  // 75 s of silence are 3 here; calls end after 1.2 s.
  const clock = hastyClock(25);
  using hasty = storeAt({ clock });
  using slow = storeAt({ timeout: 1500 });
  await using follow = new Follow({ store: hasty.store, selection: { namespace }, clock });
  const writer = new Writer(cluster.store, namespace);
  const hurried = new Writer(slow.store, namespace);
  for (let i = 0; i < 20; i++) await writer.make(`a${i}`);
  await follow.isRight(cluster.store, namespace);
  const begun = follow.watches.length;

  await cluster.parts.signal("apiserver", "SIGSTOP");
  try {
    const since = systemClock.monotonic();
    await rejects(hurried.make("late"), "Timeout", /did not answer POST .*configmaps in 1.5 s/);
    await rejects(hurried.change("a1", "late"), "Timeout");
    const took = systemClock.monotonic() - since;
    assert.ok(took < 15_000, `two calls of 1.5 s took ${took} ms`);
    const before = follow.watches.length;
    await until(
      "its watch has ended, and cannot be opened",
      () => follow.watches.length > before + 1,
    );
  } finally {
    await cluster.parts.signal("apiserver", "SIGCONT");
  }
  await writer.make("after");
  await writer.change("a2", "changed");
  await writer.remove("a3");
  await follow.isRight(cluster.store, namespace);
  assert.ok(follow.watches.slice(begun).every((from) => from !== "beginning"), follow.log);
  assert.deepEqual(follow.deleted, ["a3"]);
});

Deno.test("watches that end by silence again and again lose nothing under writes", async () => {
  const namespace = await freshNamespace();
  const clock = hastyClock(300);
  using hasty = storeAt({ clock, timeout: 300 * 10_000 });
  await using follow = new Follow({ store: hasty.store, selection: { namespace }, clock });
  const writer = new Writer(cluster.store, namespace);
  for (let round = 0; round < 5; round++) {
    const before = follow.watches.length;
    // A quarter of a second without a write is a minute and more.
    await until("silence has ended a watch", () => follow.watches.length > before);
    for (let i = 0; i < 4; i++) await writer.make(`r${round}-${i}`);
    await writer.remove(`r${round}-0`);
  }
  await follow.isRight(cluster.store, namespace);
});

Deno.test("an API server killed under writes and started again: the informer is right", async () => {
  const namespace = await freshNamespace();
  using own = storeAt();
  using writes = storeAt({ timeout: 5000 });
  await using follow = new Follow({ store: own.store, selection: { namespace } });
  const writer = new Writer(writes.store, namespace);
  const stop = new AbortController();
  const writing = Promise.all([writer.run(stop.signal), writer.run(stop.signal)]);
  const goOn = async () => {
    const { done } = writer;
    await until("writes go on", () => writer.done > done + 50);
  };
  try {
    for (let round = 0; round < 2; round++) {
      await goOn();
      await killApiServer();
      await cluster.parts.start("apiserver");
    }
    await goOn();
  } finally {
    stop.abort();
    await writing;
  }
  assert.ok(writer.failed > 0);
  await follow.isRight(cluster.store, namespace);
});

Deno.test("versions that expired while it could not look: no deletion is made up, none is missed", async () => {
  const namespace = await freshNamespace();
  using own = storeAt();
  await using follow = new Follow({ store: own.store, selection: { namespace } });
  const writer = new Writer(cluster.store, namespace);
  for (const name of ["kept", "changed", "removed", "replaced"]) await writer.make(name, "old");
  await follow.isRight(cluster.store, namespace);

  const gate = Promise.withResolvers<void>();
  follow.gate = gate.promise;
  await writeElsewhere();
  await killApiServer();
  await cluster.parts.start("apiserver");
  await writer.change("changed", "new");
  await writer.remove("removed");
  await writer.remove("replaced");
  await writer.make("replaced", "new");
  follow.gate = undefined;
  gate.resolve();
  await follow.isRight(cluster.store, namespace);
  assert.deepEqual(follow.deleted.sort(), ["removed", "replaced"]);
  assert.match(follow.log, /"relist"/);
  assert.equal(follow.watches.at(-1), "beginning");
});

Deno.test("etcd restored from an older copy: the informer goes back to what is there", async () => {
  const namespace = await freshNamespace();
  const { parts } = cluster;
  const regresses: Regress[] = [];
  const mark = new VersionMark((regress) => void regresses.push(regress));
  using own = storeAt({ mark });
  await using follow = new Follow({ store: own.store, selection: { namespace } });
  const writer = new Writer(cluster.store, namespace);
  for (const name of ["kept", "changed", "removed"]) await writer.make(name, "old");
  const epoch = await own.store.epoch();
  for (const one of ["apiserver", "etcd"] as const) await parts.stop(one);
  await copyFolder(`${parts.dir}/data`, `${parts.dir}/older`);
  for (const one of ["etcd", "apiserver"] as const) await parts.start(one);
  await writer.change("changed", "new");
  await writer.remove("removed");
  for (let i = 0; i < 200; i++) await writer.make(`later${i}`);
  await follow.isRight(cluster.store, namespace);

  for (const one of ["apiserver", "etcd"] as const) await parts.stop(one);
  await Deno.remove(`${parts.dir}/data`, { recursive: true });
  await Deno.rename(`${parts.dir}/older`, `${parts.dir}/data`);
  for (const one of ["etcd", "apiserver"] as const) await parts.start(one);
  await follow.isRight(cluster.store, namespace);
  assert.match(follow.state["removed"] ?? "", /old$/);
  assert.match(follow.state["changed"] ?? "", /old$/);
  assert.match(follow.log, /is not of the server's history, which is at \d+: it was restored/);
  assert.equal(await own.store.epoch(), epoch);
  assert.equal(regresses.length, 1);
  // What is older than what was lost is followed all the same, and not asked for all over again.
  const before = follow.watches.length;
  for (let i = 0; i < 5; i++) {
    await writer.make(`alive${i}`);
    await follow.isRight(cluster.store, namespace);
  }
  assert.equal(follow.watches.length, before, follow.log);
});

async function copyFolder(from: string, to: string): Promise<void> {
  const { success } = await new Deno.Command("cp", { args: ["-a", from, to] }).output();
  assert.ok(success);
}

Deno.test("rights taken away while it looks and given back: it says so and recovers", async () => {
  const namespace = await freshNamespace();
  const user = `watcher-${namespace}`;
  const clock = hastyClock(25);
  using own = storeAt({ clock, user });
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const { client } = cluster;
  const meta = { apiVersion: "rbac.authorization.k8s.io/v1", metadata: { name: "watcher" } };
  const give = () =>
    client.call({
      method: "POST",
      path: `${rbac}/rolebindings`,
      body: {
        ...meta,
        kind: "RoleBinding",
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "watcher" },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }],
      },
    });
  await client.call({
    method: "POST",
    path: `${rbac}/roles`,
    body: {
      ...meta,
      kind: "Role",
      rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["list", "watch"] }],
    },
  });
  await give();
  await using follow = new Follow({ store: own.store, selection: { namespace }, clock });
  const writer = new Writer(cluster.store, namespace);
  await writer.make("one");
  await writer.make("two");
  await follow.isRight(cluster.store, namespace);

  // It may have been refused at first, as rights take a moment.
  follow.log = "";
  await client.call({ method: "DELETE", path: `${rbac}/rolebindings/watcher` });
  await until("it is refused", () => /User .*watcher-.* cannot (list|watch)/.test(follow.log));
  await writer.remove("one");
  await writer.make("three");
  assert.ok("one" in follow.state, "what it knows stays");
  await give();
  await follow.isRight(cluster.store, namespace);
  assert.deepEqual(follow.deleted, ["one"]);
});

Deno.test("what etcd has compacted is Expired, and never half a list", async () => {
  const namespace = await freshNamespace();
  using own = storeAt();
  const writer = new Writer(cluster.store, namespace);
  const names = Array.from({ length: 620 }, (_, i) => `c${i}`);
  await Promise.all(names.map((name) => writer.make(name)));

  const watch = await own.store.watch(configmaps, { namespace });
  const events = watch[Symbol.asyncIterator]();
  const first = await events.next();
  await writer.remove("c619");
  await cluster.parts.compactHistory();
  const seen = new Set<string>();
  let error: unknown;
  let whole = false;
  try {
    for (let next = first; !next.done && !whole; next = await events.next()) {
      if (next.value.type === "BOOKMARK") whole = next.value.initialEnd === true;
      else seen.add(next.value.object.metadata.name);
    }
  } catch (caught) {
    error = caught;
  } finally {
    watch.abort();
  }
  // A server that keeps the list in memory still has all of it, as it was.
  if (whole) assert.equal(seen.size, names.length);
  else assert.ok(isAppError(error, "Expired"), String(error));

  const { items } = await own.store.list(configmaps, { namespace });
  assert.equal(items.length, names.length - 1);
  const old = await own.store.watch(configmaps, { namespace, resourceVersion: "1" }).then(
    async (watch) => {
      for await (const event of watch) assert.fail(`it told ${event.type}`);
    },
  ).catch((error) => error);
  assert.ok(isAppError(old, "Expired"), String(old));
});

Deno.test("300 watches at once beside calls: none hangs, all see", async () => {
  const namespace = await freshNamespace();
  using own = storeAt();
  const writer = new Writer(cluster.store, namespace);
  const names = Array.from({ length: 300 }, (_, i) => `n${i}`);
  await Promise.all(names.map((name) => writer.make(name)));
  await using stack = new AsyncDisposableStack();
  const follows = names.map((name) =>
    stack.use(
      new Follow({
        store: own.store,
        selection: { namespace, fieldSelector: `metadata.name=${name}` },
      }),
    )
  );
  let longest = 0;
  const stop = new AbortController();
  const calling = (async () => {
    while (!stop.signal.aborted) {
      const since = systemClock.monotonic();
      await own.store.get(writer.ref("n7"));
      longest = Math.max(longest, systemClock.monotonic() - since);
    }
  })();
  try {
    await until("all have seen theirs", () => follows.every(({ told }) => told.size === 1), 60);
    await Promise.all(names.map((name) => writer.change(name, "new")));
    await until(
      "all have seen the change",
      () => names.every((name, i) => follows[i]?.told.get(name)?.["data"]?.value === "new"),
      60,
    );
  } finally {
    stop.abort();
    await calling;
  }
  assert.ok(longest < 20_000, `a call took ${longest} ms`);
});

Deno.test("a wrong CA, certificate or port is one clear error each", async () => {
  const { server } = endpoint;
  const foreign = await makePki();
  const pki = `${cluster.parts.dir}/pki`;
  const ca = {
    certificate: await Deno.readTextFile(`${pki}/ca.crt`),
    key: await Deno.readTextFile(`${pki}/ca.key`),
  };
  const admin = { commonName: "admin", organizations: ["system:masters"] };
  const wrong: [KubeEndpoint, ErrorCode, RegExp][] = [
    [
      { ...endpoint, ca: foreign.ca.certificate },
      "ServiceUnavailable",
      new RegExp(`${server} cannot be asked now .*(certificate|UnknownIssuer)`, "i"),
    ],
    [{ ...endpoint, credential: foreign.admin }, "Unauthorized", /credential.*of another cluster/],
    [
      { ...endpoint, credential: await expired(ca, admin) },
      "Unauthorized",
      /credential.*expired/,
    ],
    [
      {
        server,
        ...(endpoint.ca ? { ca: endpoint.ca } : {}),
        token: () => Promise.resolve("rubbish"),
      },
      "Unauthorized",
      /credential.*expired/,
    ],
    [
      { ...endpoint, server: `https://127.0.0.1:${freePort()}` },
      "ServiceUnavailable",
      /cannot be asked.*refused/i,
    ],
  ];
  for (const [endpoint, code, text] of wrong) {
    using own = storeAt({ endpoint });
    await rejects(own.store.list(configmaps), code, text);
    await rejects(own.store.watch(configmaps, { resourceVersion: "1" }), code, text);
  }
});

async function expired(
  ca: Credential,
  subject: { commonName: string; organizations: string[] },
): Promise<Credential> {
  const key = await createKey();
  const { publicKey } = await loadKeyPair(key);
  const now = ms(systemClock.now() - hours(48));
  const lifetime = seconds(3600);
  const certificate = await issueCertificate({
    ca,
    subject,
    publicKey,
    use: "client",
    now,
    lifetime,
  });
  return { certificate, key };
}
