import { deadline, hours, ms, seconds, sleep, systemClock } from "../base/mod.ts";
import {
  createCsr,
  createKey,
  type Credential,
  issueCa,
  issueCertificate,
  MASTERS_GROUP,
  readCsr,
} from "../pki/mod.ts";

/** Certificates of one test cluster. */
export interface Pki {
  readonly ca: Credential;
  readonly server: Credential;
  readonly admin: Credential;
}

/** Makes a CA, a serving certificate for 127.0.0.1 and an administrator's certificate. */
export async function makePki(): Promise<Pki> {
  const now = systemClock.now();
  const lifetime = hours(24);
  const key = await createKey();
  const ca = {
    key,
    certificate: await issueCa({ keyPem: key, commonName: "test-ca", now, lifetime }),
  };
  return {
    ca,
    server: await issue(ca, { commonName: "skerry-hub", organizations: [] }, "server"),
    admin: await issue(ca, { commonName: "admin", organizations: [MASTERS_GROUP] }, "client"),
  };
}

/** Signs a certificate for a new key. */
export async function issue(
  ca: Credential,
  subject: { commonName: string; organizations: string[] },
  use: "client" | "server",
): Promise<Credential> {
  const key = await createKey();
  const { publicKey } = await readCsr(await createCsr({ subject, keyPem: key }));
  const certificate = await issueCertificate({
    ca,
    subject,
    publicKey,
    use,
    now: systemClock.now(),
    lifetime: hours(24),
    ...(use === "server" ? { altNames: ["127.0.0.1"] } : {}),
  });
  return { key, certificate };
}

/** Waits until `check` answers something; throws with `what` after a minute. */
export async function until<T>(
  what: string,
  check: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  using limit = deadline(systemClock, seconds(60), () => new Error(`not within a minute: ${what}`));
  for (;;) {
    const found = await check();
    if (found !== undefined) return found;
    await sleep(systemClock, ms(20), limit.signal);
  }
}
