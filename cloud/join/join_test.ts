import assert from "node:assert/strict";
import { parse } from "yaml";
import { type ResourceDef, RESOURCES } from "../../core/api/mod.ts";
import {
  hours,
  isAppError,
  minutes,
  type NodeName,
  seconds,
  seededRandom,
  silentLogger,
  VirtualClock,
} from "../../core/base/mod.ts";
import {
  createCsr,
  createKey,
  fingerprintOf,
  nodeNameOf,
  nodeSubject,
  readCertificate,
  verifyCertificate,
} from "../../core/pki/mod.ts";
import { Views } from "../../core/control/mod.ts";
import { openSqliteStore, type SqliteStore, type Store } from "../../core/store/mod.ts";
import { GATEWAY_ANNOTATION } from "../../core/sync/mod.ts";
import { createJoin, writeAdminKubeconfig } from "./mod.ts";
import { ensureCa } from "../../core/tokens/mod.ts";
import { RateLimiter } from "./rate.ts";
import { servingNames } from "./serving.ts";
import { until } from "../until_test_helper.ts";

async function newHub(
  over: {
    isSteady?: () => Promise<boolean>;
    storeOf?: (store: SqliteStore) => Store;
  } = {},
) {
  const clock = new VirtualClock();
  const sqlite = openSqliteStore({ path: ":memory:", clock, checkNamespaces: true });
  const store = over.storeOf?.(sqlite) ?? sqlite;
  const told: string[] = [];
  const parts = { store, clock, random: seededRandom(1), log: silentLogger };
  const views = new Views(parts);
  const join = await createJoin({
    ...parts,
    views,
    names: ["hub.example"],
    ...(over.isSteady ? { isSteady: over.isSteady } : {}),
    onIdentity: (node) => told.push(node),
  });
  let remote = 0;
  /** Sends a join; every call comes from another address unless one is given. */
  const post = async (body: unknown, options: { remote?: string; type?: string } = {}) => {
    const request = new Request("https://hub/join", {
      method: "POST",
      headers: { "content-type": options.type ?? "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    const response = await join.handle(request, {
      signal: new AbortController().signal,
      remote: options.remote ?? `10.0.0.${remote++}`,
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  return {
    clock,
    store,
    views,
    join,
    post,
    told,
    [Symbol.dispose]: () => sqlite[Symbol.dispose](),
  };
}

async function csrFor(node: string, keyPem?: string) {
  const key = keyPem ?? await createKey();
  return { key, csr: await createCsr({ subject: nodeSubject(node as NodeName), keyPem: key }) };
}

Deno.test("POST /join gives a certificate that the CA signed and check() takes", async () => {
  using hub = await newHub();
  const { text } = await hub.join.tokens.create({ node: "gw-1" });
  const { csr } = await csrFor("gw-1");
  const answer = await hub.post({ token: text, csr, node: "gw-1" });
  assert.equal(answer.status, 201);
  const { certificate, ca, node, cluster } = answer.body;
  assert.deepEqual([node, cluster], ["gw-1", "skerry"]);
  assert.equal(fingerprintOf(ca), text.split(".")[1]);
  const verdict = verifyCertificate(certificate, ca, hub.clock.now());
  assert.ok(verdict.ok);
  assert.equal(nodeNameOf(verdict.certificate.subject), "gw-1");
  assert.equal(verdict.certificate.notAfter - hub.clock.now(), hours(90 * 24));
  const { fingerprint } = verdict.certificate;
  assert.deepEqual(await hub.join.identities.check({ name: "gw-1", fingerprint }), { ok: true });
  const wrong = await hub.join.identities.check({ name: "gw-1", fingerprint: "00" });
  assert.equal(wrong.ok, false);
  const unknown = await hub.join.identities.check({ name: "gw-9", fingerprint });
  assert.equal(unknown.ok, false);
});

Deno.test("POST /join refuses tokens that are unknown, expired, revoked, or of another hub", async () => {
  using hub = await newHub();
  using other = await newHub();
  const { csr } = await csrFor("gw-1");
  const expired = await hub.join.tokens.create({ node: "gw-1", ttl: minutes(1) });
  await hub.clock.advance(minutes(1));
  const revoked = await hub.join.tokens.create({ node: "gw-1" });
  await hub.join.tokens.revoke(revoked.info.id);
  const good = await hub.join.tokens.create({ node: "gw-1" });
  const foreign = await other.join.tokens.create({ node: "gw-1" });
  const [, ca, id, secret] = good.text.split(".");
  const bad: [string, RegExp][] = [
    [expired.text, /has expired/],
    [revoked.text, /was revoked/],
    [foreign.text, /another hub/],
    [`skerry1.${ca}.${id}.${"A".repeat(43)}`, /not known/],
    [`skerry1.${ca}.aaaaaaaaaa.${secret}`, /not known/],
    [`skerry1.${ca}.../../x.${secret}`, /none of ours/],
    ["", /none of ours/],
  ];
  for (const [token, why] of bad) {
    const { status, body } = await hub.post({ token, csr, node: "gw-1" });
    assert.equal(status, 401, token);
    assert.equal(body.reason, "Unauthorized");
    assert.match(body.message, why);
  }
  assert.equal((await hub.post({ token: good.text, csr, node: "gw-1" })).status, 201);
});

Deno.test("POST /join refuses a token for another node, and a CSR for another node", async () => {
  using hub = await newHub();
  const { text } = await hub.join.tokens.create({ node: "gw-1" });
  const other = await csrFor("gw-2");
  const forbidden = await hub.post({ token: text, csr: other.csr, node: "gw-2" });
  assert.deepEqual([forbidden.status, forbidden.body.reason], [403, "Forbidden"]);
  const lied = await hub.post({ token: text, csr: other.csr, node: "gw-1" });
  assert.deepEqual([lied.status, lied.body.reason], [400, "BadRequest"]);
  assert.match(lied.body.message, /not for node "gw-1"/);
  const admin = await createCsr({
    subject: { commonName: "system:node:gw-1", organizations: ["system:nodes", "system:masters"] },
    keyPem: await createKey(),
  });
  assert.equal((await hub.post({ token: text, csr: admin, node: "gw-1" })).status, 400);
  // None of this has used the token up.
  const { csr } = await csrFor("gw-1");
  assert.equal((await hub.post({ token: text, csr, node: "gw-1" })).status, 201);
});

Deno.test("POST /join refuses bodies that are too big, no JSON, or not what it takes", async () => {
  using hub = await newHub();
  const { text } = await hub.join.tokens.create({ node: "*" });
  const { csr } = await csrFor("gw-1");
  const status = async (body: unknown, type?: string) =>
    (await hub.post(body, type === undefined ? {} : { type })).status;
  assert.equal(await status("x".repeat(64 * 1024 + 1)), 413);
  assert.equal(await status("{"), 400);
  assert.equal(await status("[".repeat(10_000)), 400);
  assert.equal(await status("null"), 400);
  assert.equal(await status({ token: text, node: "gw-1" }), 400);
  assert.equal(await status({ token: 1, csr, node: "gw-1" }), 400);
  assert.equal(await status({ token: text, csr: "rubbish", node: "gw-1" }), 400);
  assert.equal(await status({ token: text, csr: "x".repeat(20_000), node: "gw-1" }), 400);
  for (const node of ["", "GW", "../x", "a".repeat(64), "a b"]) {
    assert.equal(await status({ token: text, csr, node }), 400, node);
  }
  assert.equal(await status({ token: text, csr, node: "gw-1" }, "text/plain"), 415);
  const request = new Request("https://hub/join");
  const info = { signal: new AbortController().signal };
  assert.equal((await hub.join.handle(request, info)).status, 405);
});

Deno.test("a single-use token serves its key again, and no second key", async () => {
  using hub = await newHub();
  const { text } = await hub.join.tokens.create({ node: "gw-1" });
  const first = await csrFor("gw-1");
  const one = await hub.post({ token: text, csr: first.csr, node: "gw-1" });
  await hub.clock.advance(minutes(5));
  const retried = await csrFor("gw-1", first.key);
  const two = await hub.post({ token: text, csr: retried.csr, node: "gw-1" });
  assert.deepEqual([one.status, two.status], [201, 201]);
  for (const { body } of [one, two]) {
    const fingerprint = fingerprintOf(body.certificate);
    assert.equal((await hub.join.identities.check({ name: "gw-1", fingerprint })).ok, true);
  }
  const second = await csrFor("gw-1");
  const refused = await hub.post({ token: text, csr: second.csr, node: "gw-1" });
  assert.equal(refused.status, 401);
  assert.match(refused.body.message, /used already/);
  await hub.clock.advance(hours(1));
  assert.equal((await hub.post({ token: text, csr: retried.csr, node: "gw-1" })).status, 401);
});

Deno.test("two keys racing for one single-use token: exactly one joins", async () => {
  using hub = await newHub();
  const { text } = await hub.join.tokens.create({ node: "gw-*" });
  const asks = await Promise.all(["gw-1", "gw-2", "gw-3", "gw-4"].map(async (node) => ({
    node,
    token: text,
    csr: (await csrFor(node)).csr,
  })));
  const answers = await Promise.all(asks.map((ask) => hub.post(ask)));
  assert.deepEqual(answers.map((a) => a.status).sort(), [201, 401, 401, 401]);
});

Deno.test("two tokens racing for one name: exactly one key gets it, the other token stays good", async () => {
  using hub = await newHub();
  const tokens = await Promise.all([1, 2].map(() => hub.join.tokens.create({ node: "gw-*" })));
  const answers = await Promise.all(tokens.map(async ({ text }) => {
    const { csr } = await csrFor("gw-1");
    return await hub.post({ token: text, csr, node: "gw-1" });
  }));
  assert.deepEqual(answers.map((a) => a.status).sort(), [201, 409]);
  const loser = tokens[answers.findIndex((a) => a.status === 409)];
  const { csr } = await csrFor("gw-2");
  assert.equal((await hub.post({ token: loser?.text, csr, node: "gw-2" })).status, 201);
});

Deno.test("a taken name is refused, and taken over only with the right to replace", async () => {
  using hub = await newHub();
  const join = async (options: { node: string; replace?: boolean }, ask: object = {}) => {
    const { text } = await hub.join.tokens.create(options);
    const { csr } = await csrFor("gw-1");
    return await hub.post({ token: text, csr, node: "gw-1", ...ask });
  };
  const first = await join({ node: "gw-1" });
  const taken = await join({ node: "gw-1" }, { replace: true });
  assert.deepEqual([taken.status, taken.body.reason], [409, "AlreadyExists"]);
  assert.equal((await join({ node: "gw-*", replace: true })).status, 409);
  const replaced = await join({ node: "gw-*", replace: true }, { replace: true });
  assert.equal(replaced.status, 201);
  const check = (certificate: string) =>
    hub.join.identities.check({ name: "gw-1", fingerprint: fingerprintOf(certificate) });
  assert.equal((await check(first.body.certificate)).ok, false);
  assert.equal((await check(replaced.body.certificate)).ok, true);
});

Deno.test("refused() keeps replaced and shut-out node certificates from the API, and lets others by", async () => {
  using hub = await newHub();
  const { text } = await hub.join.tokens.create({ node: "gw-1" });
  const { csr } = await csrFor("gw-1");
  const { body } = await hub.post({ token: text, csr, node: "gw-1" });
  const { identities } = hub.join;
  const fingerprint = fingerprintOf(body.certificate);
  const node = { name: "system:node:gw-1", groups: ["system:nodes"] };
  assert.equal(await identities.refused(fingerprint, node), false);
  assert.equal(await identities.refused("00", node), true);
  assert.equal(await identities.refused(fingerprint, { ...node, name: "system:node:gw-2" }), true);
  assert.equal(await identities.refused("00", { ...node, name: "somebody" }), true);
  assert.equal(
    await identities.refused("00", { name: "admin", groups: ["system:masters"] }),
    false,
  );
  await identities.revoke("gw-1" as NodeName, "the node was deleted");
  assert.equal(await identities.refused(fingerprint, node), true);
});

Deno.test("renew() survives a lost answer and refuses other nodes' CSRs and shut-out nodes", async () => {
  using hub = await newHub();
  const { text } = await hub.join.tokens.create({ node: "gw-1" });
  const { key, csr } = await csrFor("gw-1");
  const { body } = await hub.post({ token: text, csr, node: "gw-1" });
  const { identities } = hub.join;
  const peer = (certificate: string) => ({ name: "gw-1", fingerprint: fingerprintOf(certificate) });
  const old = peer(body.certificate);
  await hub.clock.advance(hours(70 * 24));
  await identities.renew(old, (await csrFor("gw-1", key)).csr); // the answer is lost
  const again = await identities.renew(old, (await csrFor("gw-1")).csr);
  assert.equal(
    readCertificate(again.certificate).notAfter,
    hub.clock.now() + hours(90 * 24),
  );
  assert.equal((await identities.check(old)).ok, true);
  assert.equal((await identities.check(peer(again.certificate))).ok, true);
  const next = await identities.renew(peer(again.certificate), (await csrFor("gw-1")).csr);
  assert.equal((await identities.check(old)).ok, false);
  await assert.rejects(
    identities.renew(peer(next.certificate), (await csrFor("gw-2")).csr),
    (error) => isAppError(error, "BadRequest"),
  );
  await assert.rejects(
    identities.renew(old, (await csrFor("gw-1")).csr),
    (error) => isAppError(error, "Forbidden"),
  );
  await identities.revoke("gw-1" as NodeName, "the node was deleted");
  await assert.rejects(
    identities.renew(peer(next.certificate), (await csrFor("gw-1")).csr),
    (error) => isAppError(error, "Forbidden"),
  );
});

Deno.test("ensureCa() gives hubs that start together one CA", async () => {
  const clock = new VirtualClock();
  using store = openSqliteStore({ path: ":memory:", clock, checkNamespaces: true });
  const all = await Promise.all([1, 2, 3].map(() => ensureCa({ store, clock })));
  assert.equal(new Set(all.map((ca) => ca.fingerprint)).size, 1);
  assert.equal(new Set(all.map((ca) => ca.key)).size, 1);
  assert.equal((await ensureCa({ store, clock })).fingerprint, all[0]?.fingerprint);
});

Deno.test("ensureCa() refuses to make a new CA over a damaged one", async () => {
  const clock = new VirtualClock();
  using store = openSqliteStore({ path: ":memory:", clock });
  await ensureCa({ store, clock });
  const ref = { resource: RESOURCES.secrets, namespace: "skerry-system", name: "skerry-ca" };
  await store.update(ref, (secret) => ({ ...secret, data: {} }));
  await assert.rejects(ensureCa({ store, clock }), (error) => isAppError(error, "InternalError"));
});

Deno.test("a deleted Node shuts its identity out until it joins again", async () => {
  using hub = await newHub();
  const { text } = await hub.join.tokens.create({ node: "gw-1" });
  const { key, csr } = await csrFor("gw-1");
  const { body } = await hub.post({ token: text, csr, node: "gw-1" });
  const peer = { name: "gw-1", fingerprint: fingerprintOf(body.certificate) };
  const ref = { resource: RESOURCES.nodes, name: "gw-1" };
  // As a hub makes it.
  const annotations = { [GATEWAY_ANNOTATION]: "true" };
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: "gw-1", annotations } };
  const { identities } = hub.join;
  const bound = async () => (await identities.get("gw-1" as NodeName))?.nodeUid;
  const checked = async () => (await identities.check(peer)).ok;

  let services = runServices(hub);
  const made = await hub.store.create(RESOURCES.nodes, node);
  await until(async () => await bound() === made.metadata.uid);
  assert.equal(await checked(), true);
  await services.stop();
  // Deleted while no hub runs.
  await hub.store.delete(ref);
  assert.equal(await checked(), true);
  services = runServices(hub);
  await until(async () => !await checked());
  const verdict = await identities.check(peer);
  assert.match(verdict.ok ? "" : verdict.reason, /deleted.*join/);

  // The used token does not help, not even with the same key.
  const retried = await csrFor("gw-1", key);
  assert.equal((await hub.post({ token: text, csr: retried.csr, node: "gw-1" })).status, 401);
  const fresh = await hub.join.tokens.create({ node: "gw-1" });
  const again = await hub.post({ token: fresh.text, csr: retried.csr, node: "gw-1" });
  assert.equal(again.status, 201);
  const renewed = { name: "gw-1", fingerprint: fingerprintOf(again.body.certificate) };
  assert.equal((await identities.check(renewed)).ok, true);
  assert.equal((await identities.check(peer)).ok, false);

  // Deleted and made anew by the node before it was shut out: both go.
  await hub.store.create(RESOURCES.nodes, node);
  await until(async () => await bound() !== undefined);
  await services.stop();
  await hub.store.delete(ref);
  await hub.store.create(RESOURCES.nodes, node);
  services = runServices(hub);
  await until(async () => !(await identities.check(renewed)).ok);
  await until(async () => (await hub.store.list(RESOURCES.nodes)).items.length === 0);
  assert.ok(hub.told.includes("gw-1"));
  await services.stop();
});

const WORKER = { apiVersion: "v1", kind: "Node", metadata: { name: "worker-1" } };
const WORKER_REF = { resource: RESOURCES.nodes, name: "worker-1" };

Deno.test("the Node of a machine of somebody else's is given to no token but one that says so", async () => {
  using hub = await newHub();
  const { metadata: { uid } } = await hub.store.create(RESOURCES.nodes, WORKER);
  const join = async (options: { node: string; replace?: boolean }) => {
    const { text } = await hub.join.tokens.create(options);
    const { csr } = await csrFor("worker-1");
    return await hub.post({ token: text, csr, node: "worker-1", replace: options.replace });
  };
  for (const token of [{ node: "*" }, { node: "*", replace: true }, { node: "worker-1" }]) {
    const refused = await join(token);
    assert.deepEqual([refused.status, refused.body.reason], [409, "AlreadyExists"]);
    assert.match(refused.body.message, /a Node "worker-1" is there that this hub did not make/);
  }
  const record = () => hub.join.identities.get("worker-1" as NodeName);
  assert.equal(await record(), undefined);
  // A refused node has not used the token up, and may go by another name.
  assert.ok((await hub.join.tokens.list()).every(({ joins }) => joins.length === 0));

  const { status, body } = await join({ node: "worker-1", replace: true });
  assert.equal(status, 201);
  assert.equal((await record())?.nodeUid, uid);
  const peer = { name: "worker-1", fingerprint: fingerprintOf(body.certificate) };
  const check = (nodeUid: string | undefined) =>
    hub.join.identities.check(peer, { strict: true, nodeUid });
  assert.deepEqual(await check(uid), { ok: true });
  const other = await check("another");
  assert.match(other.ok ? "" : other.reason, /that this hub did not make: .*--replace/);
});

Deno.test("a Node of somebody else's under the name of an identity shuts that out, and stays", async () => {
  using hub = await newHub();
  const { text } = await hub.join.tokens.create({ node: "*" });
  const { csr } = await csrFor("worker-1");
  const { body } = await hub.post({ token: text, csr, node: "worker-1" });
  const peer = { name: "worker-1", fingerprint: fingerprintOf(body.certificate) };
  const { identities } = hub.join;
  const services = runServices(hub);
  const { metadata: { uid } } = await hub.store.create(RESOURCES.nodes, WORKER);
  await until(async () => !(await identities.check(peer)).ok);
  const verdict = await identities.check(peer);
  assert.match(verdict.ok ? "" : verdict.reason, /a Node of this name is there/);
  // One that was bound to another Node is shut out as well, and the Node stays.
  await identities.change("worker-1" as NodeName, ({ revoked: _, ...record }) => ({
    ...record,
    nodeUid: "gone",
  }));
  await until(async () => !(await identities.check(peer)).ok);
  await services.stop();
  assert.equal((await hub.store.get(WORKER_REF)).metadata.uid, uid);
});

Deno.test("no identity is shut out by a view that lacks a Node, or while the history turns", async () => {
  let steady = true;
  let asked = 0;
  let lists = true;
  using hub = await newHub({
    isSteady: () => {
      asked++;
      return Promise.resolve(steady);
    },
    // As a server that answers a list with none of what there is.
    storeOf: (store) =>
      new Proxy(store, {
        get(target, name) {
          const member = Reflect.get(target, name);
          if (typeof member !== "function") return member;
          if (name === "list" || name === "watch") {
            return async (resource: ResourceDef, ...rest: unknown[]) => {
              const found = await member.call(target, resource, ...rest);
              return lists || name === "watch" || resource !== RESOURCES.nodes
                ? found
                : { ...found, items: [] };
            };
          }
          return member.bind(target);
        },
      }),
  });
  const { text } = await hub.join.tokens.create({ node: "worker-1", replace: true });
  const { csr } = await csrFor("worker-1");
  await hub.store.create(RESOURCES.nodes, WORKER);
  const { body } = await hub.post({ token: text, csr, node: "worker-1" });
  const peer = { name: "worker-1", fingerprint: fingerprintOf(body.certificate) };
  const checked = async () => (await hub.join.identities.check(peer)).ok;
  lists = false;
  let services = runServices(hub);
  await until(() => hub.told.length > 0);
  await hub.clock.advance(seconds(1));
  assert.equal(await checked(), true);
  await services.stop();

  // It is really gone, in a history that may be that of a copy.
  steady = false;
  await hub.store.delete(WORKER_REF);
  services = runServices(hub);
  await until(() => asked > 0);
  await hub.clock.advance(seconds(5));
  assert.equal(await checked(), true);
  steady = true;
  await until(async () => {
    await hub.clock.advance(seconds(1));
    return !await checked();
  });
  await services.stop();
});

function runServices(hub: Awaited<ReturnType<typeof newHub>>) {
  const stop = new AbortController();
  const running = [hub.views.service("views"), ...hub.join.services].map((service) =>
    service.run(stop.signal, () => {})
  );
  return {
    stop: async () => {
      stop.abort();
      await Promise.all(running);
    },
  };
}

Deno.test("Tokens keeps no secret, lists without the hash, refuses bad options and sweeps", async () => {
  using hub = await newHub();
  const { tokens } = hub.join;
  const { text, info } = await tokens.create({ node: "gw-1" });
  const secret = text.split(".")[3] ?? "";
  const stored = JSON.stringify((await hub.store.list(RESOURCES.secrets)).items);
  assert.equal(stored.includes(secret), false);
  assert.equal(stored.includes(btoa(secret).slice(0, 20)), false);
  assert.deepEqual(await tokens.list(), [info]);
  assert.equal("hash" in info, false);
  for (
    const bad of [
      { node: "GW" },
      { node: "" },
      { node: "gw-1", uses: 0 },
      { node: "gw-1", uses: 1.5 },
      { node: "gw-1", ttl: hours(366 * 24) },
      { node: "gw-1", ttl: minutes(0) },
    ]
  ) {
    await assert.rejects(tokens.create(bad), (error) => isAppError(error, "Invalid"));
  }
  await assert.rejects(tokens.revoke("../../x"), (error) => isAppError(error, "NotFound"));
  await assert.rejects(tokens.revoke("aaaaaaaaaa"), (error) => isAppError(error, "NotFound"));
  await hub.clock.advance(hours(24));
  assert.equal(await tokens.sweep(), 0);
  await hub.clock.advance(hours(1));
  assert.equal(await tokens.sweep(), 1);
  assert.deepEqual(await tokens.list(), []);
});

Deno.test("POST /join slows down one address and not the others", async () => {
  using hub = await newHub();
  const statuses: number[] = [];
  for (let i = 0; i < 51; i++) {
    statuses.push((await hub.post({}, { remote: "192.0.2.1" })).status);
  }
  assert.deepEqual([statuses[49], statuses[50]], [400, 429]);
  const slowed = await hub.post({}, { remote: "192.0.2.1" });
  assert.equal(slowed.headers.get("retry-after"), "1");
  assert.equal((await hub.post({}, { remote: "192.0.2.2" })).status, 400);
  await hub.clock.advance(minutes(1));
  assert.equal((await hub.post({}, { remote: "192.0.2.1" })).status, 400);
});

Deno.test("RateLimiter remembers a bounded number of sources", async () => {
  const clock = new VirtualClock();
  const limiter = new RateLimiter({ clock, burst: 1, perSecond: 1, sources: 2 });
  assert.deepEqual(["a", "a", "b", "c", "a"].map((source) => limiter.take(source) > 0), [
    false,
    true,
    false,
    false,
    false, // forgotten when c came
  ]);
  await clock.advance(minutes(0));
});

Deno.test("writeAdminKubeconfig() writes a file that only its owner can read", async () => {
  const clock = new VirtualClock();
  using store = openSqliteStore({ path: ":memory:", clock });
  const ca = await ensureCa({ store, clock });
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/admin.kubeconfig`;
    await Deno.writeTextFile(`${path}.new`, "left over by a crash", { mode: 0o644 });
    for (let i = 0; i < 2; i++) {
      const server = "https://127.0.0.1:6443";
      await writeAdminKubeconfig({ ca, clock, server, cluster: "skerry", path });
    }
    assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
    const text = await Deno.readTextFile(path);
    const { users, clusters } = parse(text);
    assert.equal(clusters[0].cluster.server, "https://127.0.0.1:6443");
    const { subject } = readCertificate(atob(users[0].user["client-certificate-data"]));
    assert.deepEqual(subject, { commonName: "admin", organizations: ["system:masters"] });
    assert.deepEqual((await Array.fromAsync(Deno.readDir(folder))).length, 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the serving certificate names the hub and is renewed after two thirds of its life", async () => {
  using hub = await newHub();
  const names = readCertificate(hub.join.serving.certificate).altNames;
  for (const name of ["DNS:hub.example", "DNS:localhost", "IP:127.0.0.1"]) {
    assert.ok(names.includes(name), name);
  }
  assert.deepEqual(servingNames(["[::1]", "Hub.Example."], ["fe80::1%eth0"]).slice(0, 3), [
    "::1",
    "hub.example",
    "fe80::1",
  ]);
  const installed: string[] = [];
  const parts = { ...hub, random: seededRandom(1), log: silentLogger };
  const join = await createJoin({
    ...parts,
    views: new Views(parts),
    onServing: ({ certificate }) => installed.push(certificate),
  });
  const service = join.services.find(({ name }) => name === "serving-certificate");
  const stop = new AbortController();
  await hub.clock.advance(hours(60 * 24 - 2));
  const running = service?.run(stop.signal, () => {});
  await hub.clock.advance(hours(1));
  assert.equal(installed.length, 0);
  await hub.clock.advance(hours(2));
  await until(() => installed.length === 1);
  const renewed = verifyCertificate(installed[0] ?? "", join.ca.certificate, hub.clock.now());
  assert.equal(renewed.ok, true);
  stop.abort();
  await running;
});
