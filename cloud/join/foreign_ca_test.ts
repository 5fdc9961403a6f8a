import assert from "node:assert/strict";
import { hours, type NodeName, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import {
  createCsr,
  createKey,
  fingerprintOf,
  issueCa,
  nodeSubject,
  readCsr,
  verifyCertificate,
} from "../../core/pki/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import {
  CA_SECRET,
  ensureCa,
  ensureSystemNamespace,
  type HubCa,
  type IdentityRecord,
  readCa,
  systemSecret,
  writeCa,
} from "../../core/tokens/mod.ts";
import { refuseForeignCa } from "./foreign_ca.ts";
import { Identities } from "./identities.ts";

/** A store in which nodes join by either of two CAs. */
async function rig() {
  const clock = new VirtualClock();
  const store = openSqliteStore({ path: ":memory:", clock });
  using elsewhere = openSqliteStore({ path: ":memory:", clock });
  const ours = await ensureCa({ store, clock });
  const theirs = await ensureCa({ store: elsewhere, clock });
  const keyPem = await createKey();
  const of = (ca: HubCa) => new Identities({ store, clock, ca, log: silentLogger });
  const requestOf = (node: string) => createCsr({ subject: nodeSubject(node as NodeName), keyPem });
  return {
    ...{ store, ours, theirs },
    join: async (node: string, ca: HubCa): Promise<string> => {
      const request = await readCsr(await requestOf(node));
      const certificate = await of(ca).sign(node as NodeName, request);
      const made = { certificate, keyId: request.keyId, token: "t" };
      await of(ca).admit(node as NodeName, made, () => {});
      return certificate;
    },
    renew: async (node: string, fingerprint: string, ca: HubCa): Promise<void> =>
      void await of(ca).renew({ name: node, fingerprint }, await requestOf(node)),
    change: (node: string, change: (record: IdentityRecord) => IdentityRecord): Promise<void> =>
      of(ours).change(node as NodeName, change),
    revoke: (node: string): Promise<void> => of(ours).revoke(node as NodeName, "it is old"),
    start: (ca = ours): Promise<void> => refuseForeignCa({ store, ca }),
    /** `ca` with another certificate of the same key and subject. */
    issuedAnew: async (ca: HubCa): Promise<HubCa> => {
      const lifetime = hours(1);
      const now = clock.now();
      const certificate = await issueCa({ keyPem: ca.key, commonName: CA_SECRET, now, lifetime });
      using store = openSqliteStore({ path: ":memory:", clock });
      await ensureSystemNamespace(store);
      await writeCa(store, { certificate, key: ca.key });
      return await readCa(store);
    },
    now: () => clock.now(),
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}

Deno.test("refuseForeignCa() lets a hub start that has no nodes, or one that knows its CA", async () => {
  using at = await rig();
  await at.start();
  await at.join("a", at.theirs);
  await at.join("b", at.theirs);
  await at.join("c", at.ours);
  await at.start();
});

Deno.test("refuseForeignCa() says what to do when all nodes have joined by another CA", async () => {
  using at = await rig();
  const first = await at.join("a", at.theirs);
  await at.join("b", at.theirs);
  await assert.rejects(
    at.start(),
    /skerry-system\/skerry-ca holds a CA .*, and 2 by another .*Restore.*join again: kubectl/,
  );
  // What counts is the certificate that a node has now.
  await at.renew("a", fingerprintOf(first), at.ours);
  await at.start();
});

Deno.test("refuseForeignCa() lets a hub start whose CA was issued anew from the same key", async () => {
  using at = await rig();
  const certificate = await at.join("a", at.ours);
  const anew = await at.issuedAnew(at.ours);
  assert.notEqual(anew.fingerprint, at.ours.fingerprint);
  assert.equal(verifyCertificate(certificate, anew.certificate, at.now()).ok, true);
  await at.start(anew);
  await assert.rejects(at.start(await at.issuedAnew(at.theirs)), /and 1 by another/);
});

Deno.test("refuseForeignCa() takes nothing from identities that are shut out, spoiled or do not tell", async () => {
  using at = await rig();
  await at.join("shut-out", at.theirs);
  await at.revoke("shut-out");
  await at.join("old", at.theirs);
  await at.change("old", ({ caKey: _, ...record }) => record);
  await at.join("spoiled", at.theirs);
  await at.store.update(
    systemSecret("skerry-node-spoiled"),
    (secret) => ({ ...secret, data: { record: "" } }),
  );
  await at.start();
  await at.join("a", at.theirs);
  await assert.rejects(at.start(), /and 1 by another/);
});
