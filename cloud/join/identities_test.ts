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
    peer: { name: NODE, fingerprint: fingerprintOf(certificate) },
    turn: (next: keyof typeof ways): void => void (way = next),
    remember: async (): Promise<void> => {
      remembered = await sqlite.get(systemSecret(`skerry-node-${NODE}`));
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
