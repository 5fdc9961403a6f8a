import assert from "node:assert/strict";
import { hours, minutes, type Ms, ms, type NodeName, VirtualClock } from "../../core/base/mod.ts";
import { createCsr, createKey, nodeSubject, readCertificate, readCsr } from "../../core/pki/mod.ts";
import { silentLogger } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { ensureCa, type IdentityRecord } from "../../core/tokens/mod.ts";
import { Identities } from "./identities.ts";
import { judgeIdentity, laterThan, type NodePeer } from "./verdict.ts";

const NODE = "gw-1" as NodeName;
const NOW = hours(1000);
const RECORD: IdentityRecord = {
  node: NODE,
  keyId: "key-1",
  current: "cert-1",
  joinedAt: hours(500),
  token: "t",
};

for (
  const { name, record = {}, issuedAt, want } of [
    { name: "one that was replaced since", issuedAt: hours(400), want: /another identity/ },
    { name: "one of which it is not known when", want: /another identity/ },
    { name: "one signed in the seconds before", issuedAt: hours(500), want: /another identity/ },
    {
      name: "one that the clocks of two hubs may explain",
      issuedAt: hours(500) + minutes(9),
      want: /another identity/,
    },
    { name: "one that is younger than its record", issuedAt: hours(600), want: undefined },
    {
      name: "one that is older than the renewal",
      record: { renewedAt: hours(700) },
      issuedAt: hours(600),
      want: /another identity/,
    },
    { name: "one of the future", issuedAt: hours(1001), want: /another identity/ },
    {
      name: "one that is younger, of a node that was shut out",
      record: { revoked: { at: hours(550), reason: "the node was deleted" } },
      issuedAt: hours(600),
      want: /was deleted: join/,
    },
  ] as { name: string; record?: Partial<IdentityRecord>; issuedAt?: number; want?: RegExp }[]
) {
  const word = want ? "refuses" : "lets in";
  Deno.test(`judgeIdentity() ${word} a certificate that is not written down: ${name}`, () => {
    const age = issuedAt === undefined ? {} : { issuedAt: issuedAt as Ms };
    const peer: NodePeer = { name: NODE, fingerprint: "cert-2", ...age };
    const verdict = judgeIdentity(peer, { ...RECORD, ...record }, NOW);
    if (want === undefined) return assert.deepEqual(verdict, { ok: true, restored: true });
    assert.match(verdict.ok ? "let in" : verdict.reason, want);
  });
}

Deno.test("judgeIdentity() says what may be the cause when nothing is written down", () => {
  const verdict = judgeIdentity({ name: NODE, fingerprint: "c" }, undefined, NOW);
  assert.match(
    verdict.ok ? "" : verdict.reason,
    /a person may let it in there .*, else join it again$/,
  );
});

/** Certificates and identities with a clock that goes as it is told. */
async function newIdentities() {
  const clock = new VirtualClock();
  await clock.advance(hours(24));
  const store = openSqliteStore({ path: ":memory:", clock });
  const ca = await ensureCa({ store, clock });
  const identities = new Identities({ store, clock, log: silentLogger, ca });
  const request = async () => {
    const keyPem = await createKey();
    return await createCsr({ subject: nodeSubject(NODE), keyPem });
  };
  const peerOf = (certificate: string): NodePeer => {
    const { fingerprint, issuedAt } = readCertificate(certificate);
    return { name: NODE, fingerprint, issuedAt };
  };
  const admit = async (): Promise<NodePeer> => {
    const csr = await readCsr(await request());
    const certificate = await identities.sign(NODE, csr);
    await identities.admit(NODE, { certificate, keyId: csr.keyId, token: "t" }, () => {});
    return peerOf(certificate);
  };
  return {
    clock,
    identities,
    admit,
    renew: async (peer: NodePeer): Promise<NodePeer> =>
      peerOf((await identities.renew(peer, await request())).certificate),
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}

Deno.test("a certificate renewed since the copy of a restored record is let in and renews", async () => {
  using rig = await newIdentities();
  const { identities, clock } = rig;
  const first = await rig.admit();
  const copy = await identities.get(NODE);
  assert.ok(copy);
  await clock.advance(hours(60 * 24));
  const second = await rig.renew(first);
  await clock.advance(hours(1));
  const third = await rig.renew(second);
  await identities.change(NODE, () => copy);
  assert.deepEqual(await identities.check(third), { ok: true, restored: true });
  assert.deepEqual(await identities.check(third, { strict: true }), { ok: true, restored: true });
  const fourth = await rig.renew(third);
  for (const peer of [third, fourth]) assert.deepEqual(await identities.check(peer), { ok: true });
  assert.equal((await identities.check(second)).ok, false);
});

Deno.test("what was replaced stays out when the clock of the hub that replaces is behind", async () => {
  using rig = await newIdentities();
  const { identities } = rig;
  const first = await rig.admit();
  // Signed by a hub whose clock is an hour ahead.
  await identities.change(NODE, (record) => ({ ...record, joinedAt: record.joinedAt + hours(1) }));
  const ahead = { ...first, issuedAt: (first.issuedAt ?? 0) + hours(1) as Ms };
  await rig.admit();
  assert.equal((await identities.check(ahead)).ok, false);
  await rig.clock.advance(hours(2));
  assert.equal((await identities.check(ahead)).ok, false);
});

Deno.test("laterThan() is never before the certificate that is written down", async () => {
  using rig = await newIdentities();
  const csr = await readCsr(
    await createCsr({ subject: nodeSubject(NODE), keyPem: await createKey() }),
  );
  const certificate = await rig.identities.sign(NODE, csr);
  assert.equal(laterThan(undefined, certificate, ms(0)), rig.clock.now());
});
