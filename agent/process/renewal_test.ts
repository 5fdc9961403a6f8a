import { strictEqual } from "node:assert/strict";
import {
  AppError,
  hours,
  type Ms,
  ms,
  seconds,
  silentLogger,
  sleep,
  systemClock,
  VirtualClock,
} from "../../core/base/mod.ts";
import { type Identity, loadIdentity, saveIdentity } from "../../core/join/mod.ts";
import {
  createCsr,
  createKey,
  issueCa,
  issueCertificate,
  loadKeyPair,
  nodeSubject,
  readCertificate,
  readCsr,
} from "../../core/pki/mod.ts";
import { renewalService, renewalTime } from "./renewal.ts";

const LIFETIME = hours(90 * 24);
const NODE = "gate-7" as Identity["node"];

Deno.test("renewalTime() lies between 70 and 80 % of the life", () => {
  strictEqual(renewalTime(ms(0), ms(1000), () => 0), 700);
  strictEqual(renewalTime(ms(0), ms(1000), () => 1), 800);
});

/** A CA, and a hub that answers `renew` with it. */
async function makeHub(clock: VirtualClock) {
  const key = await createKey();
  const certificate = await issueCa({
    keyPem: key,
    commonName: "ca",
    now: clock.now(),
    lifetime: hours(365 * 24 * 10),
  });
  const sign = async (csr: string): Promise<string> => {
    const request = await readCsr(csr);
    return await issueCertificate({
      ca: { certificate, key },
      subject: request.subject,
      publicKey: request.publicKey,
      use: "client",
      now: clock.now(),
      lifetime: LIFETIME,
    });
  };
  return { certificate, sign };
}

/** Lets work that really takes time (signatures) end, on the machine's own clock. */
async function until(done: () => boolean): Promise<void> {
  const end = systemClock.monotonic() + seconds(30);
  while (!done() && systemClock.monotonic() < end) await sleep(systemClock, ms(5));
  strictEqual(done(), true);
}

Deno.test("renewalService() renews over the link in time, keeps the key, tries again after a failure", async () => {
  const clock = new VirtualClock();
  const hub = await makeHub(clock);
  const folder = await Deno.makeTempDir();
  const key = await createKey();
  await loadKeyPair(key);
  const csr = await createCsr({ subject: nodeSubject(NODE), keyPem: key });
  saveIdentity(folder, { key, ca: hub.certificate, certificate: await hub.sign(csr) });
  let identity = loadIdentity(folder) as Identity;
  const first = readCertificate(identity.certificate);
  const calls: number[] = [];
  const stop = new AbortController();
  const running = renewalService({
    folder,
    identity: () => identity,
    onRenewed: (renewed) => identity = renewed,
    call: async (method, body) => {
      strictEqual(method, "renew");
      calls.push(clock.now());
      if (calls.length === 1) throw new AppError("ServiceUnavailable", "not connected");
      return { certificate: await hub.sign((body as { csr: string }).csr) };
    },
    clock,
    random: () => 0.5,
    log: silentLogger,
  }).run(stop.signal, () => {});

  const due = renewalTime(first.notBefore, first.notAfter, () => 0.5);
  await clock.advance((due - clock.now() - 1) as Ms);
  strictEqual(calls.length, 0);
  for (let step = 0; step < 3 && calls.length < 2; step++) {
    await clock.advance(hours(1));
    await until(() => calls.length > step);
  }
  await until(() => readCertificate(identity.certificate).notAfter > first.notAfter);
  stop.abort();
  await running;
  strictEqual(calls.length, 2);
  strictEqual((calls[0] ?? 0) >= due, true);
  strictEqual(identity.key, key);
  strictEqual(identity.node, NODE);
  const saved = loadIdentity(folder);
  strictEqual(saved?.certificate, identity.certificate);
  await Deno.remove(folder, { recursive: true });
});
