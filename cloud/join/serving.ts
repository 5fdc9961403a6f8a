import { hostname, networkInterfaces } from "node:os";
import {
  type Clock,
  hours,
  type Logger,
  type Ms,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import {
  createKey,
  type Credential,
  HUB_NAME,
  issueCertificate,
  loadKeyPair,
  readCertificate,
} from "../../core/pki/mod.ts";
import type { HubCa } from "./ca.ts";

/** Options of {@linkcode issueServing}. */
export interface ServingOptions {
  readonly ca: HubCa;
  readonly clock: Clock;
  /** Names and addresses beside this machine's own under which clients reach the hub. */
  readonly names: readonly string[];
}

const LIFETIME = hours(90 * 24);

/**
 * Makes a key and a serving certificate for this process. Nothing of it is kept on disk: every
 * hub and every start makes its own, which clients trust by the CA alone.
 */
export async function issueServing(options: ServingOptions): Promise<Credential> {
  const key = await createKey();
  const certificate = await issueCertificate({
    ca: options.ca,
    subject: { commonName: HUB_NAME, organizations: [] },
    publicKey: (await loadKeyPair(key)).publicKey,
    use: "server",
    altNames: servingNames(options.names, localNames()),
    now: options.clock.now(),
    lifetime: LIFETIME,
  });
  return { certificate, key };
}

/** The names of a serving certificate: those asked for, the machine's, and Kubernetes' own. */
export function servingNames(asked: readonly string[], local: readonly string[]): string[] {
  const kubernetes = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
  const all = [...asked, ...local, "localhost", "127.0.0.1", "::1", ...kubernetes];
  // A DNS name in a certificate has no trailing dot, an address no zone and no brackets.
  return [
    ...new Set(all.map((name) => name.replace(/%.*$|^\[|\]$|\.$/g, "").toLowerCase())),
  ].filter((name) => name !== "");
}

function localNames(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return [hostname(), ...addresses.map(({ address }) => address)];
}

/** When a certificate should be renewed: after two thirds of its life. */
export function renewAt(certificate: string): Ms {
  const { notBefore, notAfter } = readCertificate(certificate);
  return (notBefore + (notAfter - notBefore) * 2 / 3) as Ms;
}

/**
 * A service that makes a new serving certificate when the one in use is due, and hands it to
 * `install`. The first must have been made before.
 */
export function servingRenewal(
  options: ServingOptions & {
    current: () => Credential;
    install: (credential: Credential) => void;
    log: Logger;
  },
): Service {
  const { clock, log } = options;
  return {
    name: "serving-certificate",
    onFailure: "restart",
    async run(signal, ready) {
      ready();
      while (!signal.aborted) {
        const wait = Math.max(0, renewAt(options.current().certificate) - clock.now());
        try {
          await sleep(clock, wait as Ms, signal);
        } catch {
          return;
        }
        options.install(await issueServing(options));
        log.info("serving certificate renewed");
      }
    },
  };
}
