import {
  type Clock,
  failureLevel,
  hours,
  isAppError,
  type Logger,
  minutes,
  type Ms,
  type Random,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import { type Identity, loadIdentity, saveIdentity } from "../../core/join/mod.ts";
import { createCsr, nodeSubject, readCertificate } from "../../core/pki/mod.ts";

/** Options of {@linkcode renewalService}. */
export interface RenewalOptions {
  readonly folder: string;
  readonly identity: () => Identity;
  /** Told of the new identity; the next connections use it, open ones go on. */
  readonly onRenewed: (identity: Identity) => void;
  readonly call: (method: string, body: unknown, signal: AbortSignal) => Promise<unknown>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** A failed renewal is tried again after this: there are weeks left. */
const AGAIN = minutes(10);
/** Looks at the wall clock at least this often: it may jump, e.g. when NTP first answers. */
const LOOK = hours(1);

/** When to renew: a point of 70 to 80 % of the certificate's life, chosen by `random`. Pure. */
export function renewalTime(notBefore: Ms, notAfter: Ms, random: Random): Ms {
  return Math.round(notBefore + (notAfter - notBefore) * (0.7 + random() * 0.1)) as Ms;
}

/** Renews the node's certificate over the link, without a reconnect (FEATURES row A11). */
export function renewalService(options: RenewalOptions): Service {
  const { clock, random, log } = options;
  return {
    name: "certificate-renewal",
    onFailure: "restart",
    async run(signal, ready) {
      ready();
      let due = dueTime(options.identity(), random);
      while (!signal.aborted) {
        const wait = Math.min(LOOK, Math.max(0, due - clock.now())) as Ms;
        try {
          if (wait > 0) await sleep(clock, wait, signal);
        } catch {
          return;
        }
        if (clock.now() < due) continue;
        try {
          await renew(options, signal);
          due = dueTime(options.identity(), random);
        } catch (error) {
          if (signal.aborted) return;
          if (!isAppError(error)) throw error;
          log[failureLevel(error)]("the certificate could not be renewed, trying again", {
            error,
            wait: AGAIN,
          });
          due = (clock.now() + AGAIN) as Ms;
        }
      }
    },
  };
}

function dueTime(identity: Identity, random: Random): Ms {
  const { notBefore, notAfter } = readCertificate(identity.certificate);
  return renewalTime(notBefore, notAfter, random);
}

async function renew(options: RenewalOptions, signal: AbortSignal): Promise<void> {
  const { node, key, ca } = options.identity();
  const csr = await createCsr({ subject: nodeSubject(node), keyPem: key });
  const answer = await options.call("renew", { csr }, signal) as { certificate: string };
  saveIdentity(options.folder, { key, ca, certificate: answer.certificate });
  const renewed = loadIdentity(options.folder);
  if (renewed) options.onRenewed(renewed);
  options.log.info("certificate renewed", { node });
}
