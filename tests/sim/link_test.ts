import assert from "node:assert/strict";
import { AppError, isAppError, ms } from "../../core/base/mod.ts";
import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import { allowPrune } from "../../core/sync/mod.ts";
import { CLOSE, LINK, type Stream } from "../../core/link/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { configMap, names, podOn, refTo, Rig } from "./rig.ts";

const { pods, configmaps, secrets, nodes, events } = RESOURCES;

Deno.test("a bound pod arrives with what it mounts, and nothing of other nodes does", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const [n1, n2] = [rig.node("n1"), rig.node("n2")];
  await rig.store.create(configmaps, configMap("mine", "1"));
  await rig.store.create(configmaps, configMap("theirs", "1"));
  const volumes = (name: string) => ({ volumes: [{ name: "v", configMap: { name } }] });
  await rig.store.create(pods, podOn("n1", "a", volumes("mine")));
  await rig.store.create(pods, podOn("n2", "b", volumes("theirs")));
  await rig.pass(1);
  assert.deepEqual([names(n1), names(n1, configmaps)], [["a"], ["mine"]]);
  assert.deepEqual([names(n2), names(n2, configmaps)], [["b"], ["theirs"]]);
  await rig.store.delete(refTo(pods, "b"), { gracePeriodSeconds: 0 });
  await rig.pass(1);
  assert.deepEqual([names(n2), names(n2, configmaps)], [[], []]);
});

Deno.test("a status goes up once and is not sent back down", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const n1 = rig.node("n1");
  await rig.store.create(pods, podOn("n1", "a"));
  await rig.pass(1);
  const version = n1.store.transact((tx) => tx.get(refTo(pods, "a")))?.metadata.resourceVersion;
  const status = { phase: "Running" as const };
  n1.store.transact((tx) => {
    const uid = tx.get(refTo(pods, "a"))?.metadata.uid ?? "";
    const body = { namespace: "default", name: "a", uid, status };
    n1.link.outbox.enqueue(tx, { key: `pod-status/${uid}`, kind: "pod-status", body });
  });
  await rig.pass(1);
  assert.equal((await rig.store.get(refTo(pods, "a")) as Pod).status?.phase, "Running");
  assert.deepEqual(n1.store.transact((tx) => tx.rows("outbox")), []);
  const after = n1.store.transact((tx) => tx.get(refTo(pods, "a")))?.metadata.resourceVersion;
  assert.equal(after, version);
});

Deno.test("a node may not write another node's pod, nor see its secrets by a mirror pod", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const refused: string[] = [];
  const n1 = rig.node("n1", {
    onRefused: ({ key }, { code }) => void refused.push(`${key} ${code}`),
  });
  await rig.store.create(pods, podOn("n2", "b"));
  await rig.store.create(secrets, { ...configMap("s", "1"), kind: "Secret" });
  const uid = (await rig.store.get(refTo(pods, "b"))).metadata.uid ?? "";
  const where = { namespace: "default", name: "b", uid };
  const mirror = podOn("n1", "m", { volumes: [{ name: "v", secret: { secretName: "s" } }] });
  mirror.metadata.uid = "u1";
  n1.store.transact((tx) => {
    const put = (key: string, kind: string, body: unknown): void =>
      n1.link.outbox.enqueue(tx, { key, kind, body });
    put(`pod-status/${uid}`, "pod-status", { ...where, status: { phase: "Failed" } });
    put(`pod-gone/${uid}`, "pod-gone", where);
    put("pod-mirror/u1", "pod-mirror", { pod: mirror });
    put("node", "node", { node: { metadata: { name: "n2" }, status: {} } });
    put("x", "no-such-kind", {});
    put("pod-status/other", "pod-status", { ...where, status: {} });
  });
  await rig.pass(2);
  assert.deepEqual(refused, [
    `pod-status/${uid} Forbidden`,
    `pod-gone/${uid} Forbidden`,
    "node Forbidden",
    "x Unsupported",
    "pod-status/other BadRequest",
  ]);
  const mirrored = await rig.store.get(refTo(pods, "m"));
  assert.equal(mirrored.metadata.annotations?.["kubernetes.io/config.mirror"], "u1");
  assert.deepEqual([names(n1), names(n1, secrets)], [[], []]);
});

Deno.test("a node registers itself with the labels it may have, and tells what changed", async () => {
  await using rig = new Rig({ kubelet: () => ({ address: "10.0.0.1", port: 10250 }) });
  await rig.startHub();
  const n1 = rig.node("n1");
  const tell = (conditions: unknown[]): void =>
    n1.store.transact((tx) => {
      const labels = {
        zone: "a",
        "node-restriction.kubernetes.io/x": "y",
        "kubernetes.io/os": "linux",
      };
      const node = { metadata: { name: "n1", labels }, status: { conditions } };
      n1.link.outbox.enqueue(tx, { key: "node", kind: "node", body: { node } });
    });
  tell([{ type: "Ready", status: "True" }]);
  await rig.pass(1);
  const made = await rig.store.get({ resource: nodes, name: "n1" });
  assert.deepEqual(made.metadata.labels, {
    zone: "a",
    "kubernetes.io/os": "linux",
    "node-role.kubernetes.io/edge": "",
    "node-role.kubernetes.io/agent": "",
  });
  assert.equal(made["status"].daemonEndpoints.kubeletEndpoint.Port, 10250);
  assert.deepEqual(made["status"].addresses, [{ type: "InternalIP", address: "10.0.0.1" }]);
  const since = made["status"].conditions[0].lastTransitionTime;
  await rig.pass(60);
  tell([{ type: "Ready", status: "True" }, { type: "DiskPressure", status: "False" }]);
  await rig.pass(1);
  const after = await rig.store.get({ resource: nodes, name: "n1" });
  assert.equal(after["status"].conditions[0].lastTransitionTime, since);
  assert.equal(after["status"].conditions.length, 2);
  assert.deepEqual(names(n1, nodes), ["n1"]);
});

Deno.test("an event is written in the node's name, and counted", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const n1 = rig.node("n1");
  for (const count of [1, 2]) {
    n1.store.transact((tx) => {
      const event = {
        metadata: { name: "e", namespace: "default" },
        involvedObject: { kind: "Node", name: "n1" },
        reason: "Started",
        source: { component: "agent", host: "somebody-else" },
        count,
      };
      n1.link.outbox.enqueue(tx, { key: "event/default/e", kind: "event", body: { event } });
    });
    await rig.pass(1);
  }
  const event = await rig.store.get(refTo(events, "e"));
  assert.deepEqual([event["count"], event["source"].host], [2, "n1"]);
});

Deno.test("a node that makes events without end is slowed, by a new session as well", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const n1 = rig.node("n1");
  for (let batch = 0; batch < 3; batch++) {
    n1.store.transact((tx) => {
      for (let i = 0; i < 500; i++) {
        const metadata = { name: `e${batch}-${i}`, namespace: "default" };
        const message = "x".repeat(8000);
        const event = { metadata, involvedObject: { kind: "Node", name: "n1" }, message };
        const key = `event/default/${metadata.name}`;
        n1.link.outbox.enqueue(tx, { key, kind: "event", body: { event } });
      }
    });
    await rig.pass(10);
    rig.network.cut("n1");
    await rig.pass(10);
  }
  const stored = (await rig.store.list(events)).items.length;
  assert.ok(stored >= 490 && stored <= 560, `${stored} events`);
  await rig.pass(3600);
  assert.equal((await rig.store.list(events)).items.length, 1500, "and none is lost");
  assert.deepEqual(n1.store.transact((tx) => tx.rows("outbox")), []);
});

Deno.test("a half-open link is noticed on both sides within three heartbeats", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const states: { connected: boolean; at: number; closeCode?: number | undefined }[] = [];
  const n1 = rig.node("n1", {
    onState: ({ connected, closeCode }) =>
      void states.push({ connected, at: rig.clock.monotonic(), closeCode }),
  });
  await rig.pass(30);
  assert.equal(n1.link.state.connected, true);
  assert.equal(rig.hub.nodes().length, 1);
  const cutAt = rig.clock.monotonic();
  rig.network.halfOpen("n1");
  await rig.pass(10);
  const noticed = states.find(({ connected }) => !connected);
  assert.equal(noticed?.closeCode, CLOSE.heartbeat);
  assert.ok(noticed.at - cutAt <= 3 * LINK.heartbeat);
  const [hubSide] = rig.closes;
  assert.equal(hubSide?.code, CLOSE.heartbeat);
  assert.ok(hubSide.at - cutAt <= 3 * LINK.heartbeat);
  await rig.pass(1);
  assert.equal(n1.link.state.connected, true, "and it is back");
});

Deno.test("an idle session costs one ping and one pong a heartbeat", async () => {
  await using rig = new Rig();
  await rig.startHub();
  rig.node("n1");
  await rig.pass(5);
  rig.frames = 0;
  await rig.pass(330);
  assert.ok(rig.frames >= 196 && rig.frames <= 204, `${rig.frames} frames in 100 heartbeats`);
});

Deno.test("kick() notices a dead session at once", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const n1 = rig.node("n1");
  await rig.pass(1);
  rig.network.halfOpen("n1");
  n1.link.kick();
  await rig.pass(2.5);
  assert.equal(n1.link.state.connected, true);
  assert.equal(rig.hub.nodes().length, 1);
});

Deno.test("a hub that stops is told by 4503, and the node comes back at once", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const n1 = rig.node("n1");
  await rig.pass(1);
  await rig.stopHub();
  assert.equal(rig.closes[0]?.code, CLOSE.stopping);
  await rig.startHub();
  await rig.pass(0.5);
  assert.equal(n1.link.state.connected, true);
});

Deno.test("a hub whose machine says that nobody listens is dialled every 3 s at most", async () => {
  await using rig = new Rig();
  const n1 = rig.node("n1");
  let dials = 0;
  rig.network.onConnection(() => {
    dials++;
    throw new AppError("ServiceUnavailable", "no");
  });
  await rig.pass(600);
  assert.ok(dials > 250 && dials < 600, `${dials} dials in ten minutes`);
  assert.equal(n1.link.state.connected, false);
});

Deno.test("a shut-out node asks once a minute and is let in again after a new join", async () => {
  let shutOut = false;
  let asked = 0;
  await using rig = new Rig({
    identities: {
      check: () => {
        asked++;
        return Promise.resolve(shutOut ? { ok: false, reason: "deleted" } : { ok: true });
      },
    },
  });
  await rig.startHub();
  const n1 = rig.node("n1");
  await rig.pass(1);
  shutOut = true;
  await rig.hub.recheck("n1");
  await rig.pass(1);
  assert.equal(n1.link.state.closeCode, CLOSE.shutOut);
  asked = 0;
  await rig.pass(600);
  assert.ok(asked >= 9 && asked <= 11, `${asked} dials in ten minutes`);
  shutOut = false;
  n1.link.kick();
  await rig.pass(1);
  assert.equal(n1.link.state.connected, true);
});

for (const when of ["before", "after"] as const) {
  Deno.test(`a link that says hello ${when} the recheck of its shut-out node is sent away`, async () => {
    let shutOut = false;
    await using rig = new Rig({
      identities: {
        check: () => Promise.resolve(shutOut ? { ok: false, reason: "deleted" } : { ok: true }),
      },
    });
    await rig.startHub();
    const dialling = rig.network.dialer({ name: "n1", fingerprint: "f", remote: "test" })
      .dial("/v1/link", new AbortController().signal);
    await rig.pass(0.1);
    const connection = await dialling;
    shutOut = true;
    if (when === "after") await rig.hub.recheck("n1");
    await connection.send(JSON.stringify({ t: "hello", protocol: 1, agent: "a", bootId: "b" }))
      .catch(() => {});
    await rig.pass(1);
    assert.equal(await connection.receive(), undefined, "no welcome");
    assert.equal((await connection.closed).code, CLOSE.shutOut);
    assert.deepEqual(rig.hub.nodes(), []);
  });
}

Deno.test("recheck() ends a shut-out node's link that has not said hello", async () => {
  let shutOut = false;
  await using rig = new Rig({
    identities: {
      check: () => Promise.resolve(shutOut ? { ok: false, reason: "deleted" } : { ok: true }),
    },
  });
  await rig.startHub();
  const dialling = rig.network.dialer({ name: "n1", fingerprint: "f", remote: "test" })
    .dial("/v1/link", new AbortController().signal);
  await rig.pass(0.1);
  shutOut = true;
  await rig.hub.recheck("n1");
  await rig.pass(0.1);
  assert.equal((await (await dialling).closed).code, CLOSE.shutOut);
});

Deno.test("a newer session of a node replaces the older one", async () => {
  await using rig = new Rig();
  await rig.startHub();
  rig.node("n1");
  await rig.pass(1);
  const first = rig.hub.node("n1")?.session;
  rig.network.halfOpen("n1");
  const second = rig.node("n1");
  await rig.pass(1);
  assert.notEqual(rig.hub.node("n1")?.session, first);
  assert.equal(second.link.state.connected, true);
  assert.equal(rig.closes[0]?.code, CLOSE.replaced);
});

Deno.test("what is too large for the link is refused, and the rest goes on", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const n1 = rig.node("n1");
  await rig.store.create(configmaps, configMap("big", "x".repeat(2_000_000)));
  await rig.store.create(configmaps, configMap("huge", "\u20ac".repeat(1_500_000)));
  for (const name of ["big", "huge"]) {
    await rig.store.create(
      pods,
      podOn("n1", name, { volumes: [{ name: "v", configMap: { name } }] }),
    );
  }
  await rig.pass(5);
  assert.deepEqual(names(n1).sort(), ["big", "huge"]);
  assert.deepEqual(names(n1, configmaps), ["big"], "in parts");
  assert.equal(n1.link.state.connected, true);
});

Deno.test("a hub with another history stops nothing until the node is joined anew", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const synced: boolean[] = [];
  const n1 = rig.node("n1", { onSynced: ({ newEpoch }) => void synced.push(newEpoch) });
  await rig.store.create(pods, podOn("n1", "old"));
  await rig.store.create(pods, podOn("n1", "same"));
  await rig.pass(1);
  await rig.stopHub();
  const other = openSqliteStore({ path: ":memory:", clock: rig.clock });
  await other.create(pods, podOn("n1", "same"));
  await other.create(pods, podOn("n1", "new"));
  await rig.startHub(other);
  await rig.pass(2);
  assert.deepEqual(names(n1).sort(), ["new", "old", "same"]);
  assert.deepEqual(synced, [false, true]);
  n1.store.transact(allowPrune);
  rig.network.cut("n1");
  await rig.pass(20);
  assert.deepEqual(names(n1).sort(), ["new", "same"]);
  other[Symbol.dispose]();
});

Deno.test("openStream() carries bytes, and the node's refusal comes back as its error", async () => {
  await using rig = new Rig();
  await rig.startHub();
  let header: unknown;
  rig.node("n1", {
    onOpen: async (open, incoming) => {
      header = open;
      if (open.kind === "no") throw new AppError("NotFound", "no such container");
      const { readable, writable } = await incoming.accept();
      await readable.pipeTo(writable);
    },
  });
  await rig.pass(1);
  const never = new AbortController().signal;
  const ask = async (kind: string): Promise<Stream> => {
    const opening = rig.hub.openStream("n1", { kind }, never);
    opening.catch(() => {});
    await rig.pass(1);
    return await opening;
  };
  const stream = await ask("logs");
  assert.deepEqual(header, { kind: "logs" });
  const writer = stream.writable.getWriter();
  void writer.write(new TextEncoder().encode("hello")).then(() => writer.close());
  const text = new Response(stream.readable).text();
  await rig.pass(1);
  assert.equal(await text, "hello");
  assert.equal((await stream.closed).code, CLOSE.bye);
  await assert.rejects(ask("no"), { code: "NotFound", message: "no such container" });
  await assert.rejects(
    rig.hub.openStream("n9", { kind: "logs" }, never),
    (error) => isAppError(error, "ServiceUnavailable"),
  );
});

Deno.test("a stream ends when the node has served it, though the hub says nothing", async () => {
  await using rig = new Rig();
  await rig.startHub();
  rig.node("n1", {
    onOpen: async (_, incoming) => {
      const { writable } = await incoming.accept();
      await new Response("x".repeat(100_000)).body?.pipeTo(writable as WritableStream<Uint8Array>);
    },
  });
  await rig.pass(1);
  for (let i = 0; i < LINK.streamsPerNode + 5; i++) {
    const opening = rig.hub.openStream("n1", { kind: "logs" }, new AbortController().signal);
    await rig.pass(0.1);
    const stream = await opening;
    // Longer than it takes to break: what was sent before the end is not lost to a slow reader.
    await rig.pass(15);
    const text = new Response(stream.readable).text();
    await rig.pass(0.1);
    assert.equal((await text).length, 100_000);
    assert.equal((await stream.closed).code, CLOSE.bye);
  }
});

Deno.test("openStream() gives up after 10 s, and the id is good for its node only", async () => {
  await using rig = new Rig({ newId: () => "ab".repeat(16) });
  await rig.startHub();
  rig.node("n1");
  await rig.pass(1);
  rig.network.halfOpen("n1");
  const opening = rig.hub.openStream("n1", { kind: "logs" }, new AbortController().signal);
  opening.catch(() => {});
  const thief = rig.network.dialer({ name: "n2", fingerprint: "n2", remote: "test" });
  const stolen = thief.dial(`/v1/stream/${"ab".repeat(16)}`, new AbortController().signal);
  await rig.pass(1);
  assert.equal((await (await stolen).closed).code, CLOSE.protocol);
  await rig.pass(10);
  await assert.rejects(opening, (error) => isAppError(error, "Timeout", "ServiceUnavailable"));
});

Deno.test("a peer that says nothing, or an unknown version, is sent away", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const dial = () =>
    rig.network.dialer({ name: "n1", fingerprint: "f", remote: "test" })
      .dial("/v1/link", new AbortController().signal);
  const hello = (protocol: number) =>
    JSON.stringify({ t: "hello", protocol, agent: "a", bootId: "b" });
  for (
    const [frame, code] of [
      [undefined, CLOSE.heartbeat],
      ['{"t":"ack","seq":1}', CLOSE.protocol],
      [hello(-1), CLOSE.protocol],
      [hello(LINK.protocol + 1), undefined],
    ] as const
  ) {
    const dialling = dial();
    await rig.pass(0.1);
    const connection = await dialling;
    if (frame) await connection.send(frame);
    await rig.pass(code === undefined ? 1 : 12);
    if (code !== undefined) assert.equal((await connection.closed).code, code);
    else {
      const welcome = JSON.parse(await connection.receive() as string);
      assert.equal(welcome.protocol, LINK.protocol, "a newer node is answered in our version");
      connection.close(1000, "done");
    }
    await rig.pass(1);
  }
  assert.deepEqual(rig.hub.nodes(), []);
});

Deno.test("call() reaches the hub's handler with the peer from the certificate", async () => {
  await using rig = new Rig({
    onCall: (peer, method, body) =>
      method === "renew"
        ? Promise.resolve({ for: peer.name, body })
        : Promise.reject(new AppError("MethodNotAllowed", "no")),
  });
  await rig.startHub();
  const n1 = rig.node("n1");
  await assert.rejects(n1.link.call("renew", {}), { code: "ServiceUnavailable" });
  await rig.pass(1);
  const answers = Promise.allSettled([
    n1.link.call("renew", { csr: "x" }),
    n1.link.call("other", 1),
  ]);
  await rig.pass(1);
  const [renewed, other] = await answers;
  assert.deepEqual(renewed.status === "fulfilled" && renewed.value, {
    for: "n1",
    body: { csr: "x" },
  });
  assert.ok(other.status === "rejected" && isAppError(other.reason, "MethodNotAllowed"));
});

Deno.test("an agent whose disk fails acks nothing and goes on when it works again", async () => {
  await using rig = new Rig();
  await rig.startHub();
  const disk = openSqliteStore({ path: ":memory:", clock: rig.clock });
  let broken = true;
  const store = new Proxy(disk, {
    get(target, name) {
      if (name === "transact" && broken) {
        return () => {
          throw new AppError("InternalError", "disk full");
        };
      }
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const n1 = rig.node("n1", {}, store);
  await rig.store.create(pods, podOn("n1", "a"));
  await rig.pass(30);
  assert.match(n1.link.state.lastError ?? "", /disk full/);
  assert.equal(n1.link.state.connected, false);
  broken = false;
  await rig.pass(ms(20));
  assert.deepEqual(names(n1), ["a"]);
});
