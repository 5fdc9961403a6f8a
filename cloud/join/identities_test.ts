import assert from "node:assert/strict";
import type { KubeObject, ObjectRef } from "../../core/api/mod.ts";
import {
  AppError,
  createLogger,
  type NodeName,
  seconds,
  VirtualClock,
} from "../../core/base/mod.ts";
import { createCsr, createKey, fingerprintOf, nodeSubject, readCsr } from "../../core/pki/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { ensureCa, systemSecret } from "../../core/tokens/mod.ts";
import { Identities } from "./identities.ts";

const NODE = "gw-1" as NodeName;
const ref = systemSecret(`skerry-node-${NODE}`);

/** A node that has joined, at a store that may stop telling. */
async function joined() {
  const clock = new VirtualClock();
  const sqlite = openSqliteStore({ path: ":memory:", clock });
  const lines: Record<string, unknown>[] = [];
  let remembered: KubeObject | undefined;
  const ways = {
    answers: (): Promise<void> => Promise.resolve(),
    fails: (): Promise<void> => Promise.reject(new AppError("ServiceUnavailable", "it is away")),
    hangs: (): Promise<void> => new Promise(() => {}),
  };
  let way: keyof typeof ways = "answers";
  const store = new Proxy(sqlite, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      if (name !== "get") return member.bind(target);
      return async (ref: ObjectRef) => {
        await ways[way]();
        return await target.get(ref);
      };
    },
  });
  const identities = new Identities({
    ...{ store, clock },
    log: createLogger({ clock, write: (line) => lines.push(JSON.parse(line)) }),
    ca: await ensureCa({ store: sqlite, clock }),
    remembered: () => remembered,
  });
  const keyPem = await createKey();
  const request = await readCsr(await createCsr({ subject: nodeSubject(NODE), keyPem }));
  const certificate = await identities.sign(NODE, request);
  await identities.admit(NODE, { certificate, keyId: request.keyId, token: "t" }, () => {});
  return {
    clock,
    identities,
    said: (): string[] => lines.map(({ level, msg }) => `${level} ${msg}`),
    peer: { name: NODE, fingerprint: fingerprintOf(certificate), issuedAt: clock.now() },
    secret: () => sqlite.get(ref),
    /** What a person does with `kubectl annotate`, by the command that the Secret says. */
    annotate: async (value?: string): Promise<void> => {
      const [, key = "", said = ""] = /--overwrite (.*)=(.*)$/.exec(
        (await sqlite.get(ref)).metadata.annotations?.["skerry.dev/shut-out"] ?? "",
      ) ?? [];
      await sqlite.update(ref, ({ metadata, ...rest }) => ({
        ...rest,
        metadata: { ...metadata, annotations: { ...metadata.annotations, [key]: value ?? said } },
      }));
    },
    lose: () => sqlite.delete(ref),
    turn: (next: keyof typeof ways): void => void (way = next),
    remember: async (): Promise<void> => {
      remembered = await sqlite.get(ref);
    },
    [Symbol.dispose]: () => sqlite[Symbol.dispose](),
  };
}

Deno.test("check() goes by what was last seen when the store does not tell", async () => {
  using rig = await joined();
  const { identities, peer } = rig;
  await rig.remember();
  rig.turn("fails");
  assert.deepEqual(await identities.check(peer), { ok: true });
  const other = await identities.check({ ...peer, fingerprint: "00" });
  assert.match(other.ok ? "" : other.reason, /another identity/);
  await assert.rejects(identities.check(peer, { strict: true }), /it is away/);
});

Deno.test("check() waits two seconds for a store that hangs", async () => {
  using rig = await joined();
  await rig.remember();
  rig.turn("hangs");
  let verdict: unknown;
  const checking = rig.identities.check(rig.peer).then((found) => verdict = found);
  await rig.clock.advance(seconds(1));
  assert.equal(verdict, undefined);
  await rig.clock.advance(seconds(1));
  await checking;
  assert.deepEqual(verdict, { ok: true });
});

Deno.test("check() lets nobody in whom it does not remember, or remembers as shut out", async () => {
  using rig = await joined();
  rig.turn("fails");
  await assert.rejects(rig.identities.check(rig.peer), /it is away/);
  rig.turn("answers");
  await rig.identities.revoke(NODE, "the node was deleted");
  await rig.remember();
  rig.turn("fails");
  assert.deepEqual(await rig.identities.check(rig.peer), {
    ok: false,
    reason: "the node was deleted: join the node again",
  });
});

Deno.test("check() goes by the store, whatever is remembered, when it tells", async () => {
  using rig = await joined();
  await rig.remember();
  await rig.identities.revoke(NODE, "the node was deleted");
  assert.equal((await rig.identities.check(rig.peer)).ok, false);
});

Deno.test("check() says that the store does not tell, and that it tells again", async () => {
  using rig = await joined();
  await rig.remember();
  rig.turn("fails");
  for (let i = 0; i < 3; i++) await rig.identities.check(rig.peer);
  rig.turn("answers");
  for (let i = 0; i < 2; i++) await rig.identities.check(rig.peer);
  assert.deepEqual(rig.said(), [
    "warn an identity is judged by what was last seen of it",
    "info identities are judged by the store again",
  ]);
});

Deno.test("check() writes down what it knows nothing of, and a person lets it in from afar", async () => {
  using rig = await joined();
  const { identities, peer } = rig;
  await rig.lose();
  for (const reason of [/a person may let it in there/, /lost by a restore.*: join/]) {
    const verdict = await identities.check(peer);
    assert.match(verdict.ok ? "" : verdict.reason, reason);
    assert.ok(verdict.ok || verdict.reason.length <= 120, "a close frame has room for no more");
  }
  assert.equal(rig.said().filter((line) => /no identity was written down/.test(line)).length, 1);
  await rig.annotate();
  assert.equal((await identities.check({ ...peer, fingerprint: "00".repeat(32) })).ok, false);
  assert.deepEqual(await identities.check(peer), { ok: true });
  const { metadata } = await rig.secret();
  assert.deepEqual(metadata.annotations, {});
  assert.deepEqual(await identities.check(peer, { strict: true }), { ok: true });
  // And no second time: what is shut out afterwards stays so.
  await identities.revoke(NODE, "the node was deleted");
  assert.equal((await identities.check(peer)).ok, false);
});

Deno.test("check() lets a node in that was shut out by mistake, by its certificate alone", async () => {
  using rig = await joined();
  const { identities, peer } = rig;
  await identities.change(NODE, (record) => ({ ...record, nodeUid: "old" }));
  await identities.revoke(NODE, "the node was deleted");
  for (const value of ["", peer.fingerprint.slice(0, 15), "0".repeat(16)]) {
    await rig.annotate(value);
    assert.equal((await identities.check(peer)).ok, false, value);
  }
  await rig.annotate();
  const { issuedAt: _, ...caller } = peer;
  assert.equal((await identities.check(caller)).ok, false, "a call of the API lets nobody in");
  assert.equal((await identities.check(peer, { strict: true })).ok, false);
  assert.deepEqual(await identities.check(peer), { ok: true });
  const record = await identities.get(NODE);
  assert.deepEqual([record?.revoked, record?.nodeUid], [undefined, undefined]);
});

Deno.test("check() writes nothing down of who calls the API, and nothing over what is there", async () => {
  using rig = await joined();
  const { identities, peer: { issuedAt: _, ...caller } } = rig;
  await rig.lose();
  assert.equal((await identities.check(caller)).ok, false);
  await assert.rejects(rig.secret(), /not found/i);
});
