import { hostname, networkInterfaces } from "node:os";
import {
  type Clock,
  errorText,
  failureLevel,
  hours,
  type Logger,
  seconds,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import {
  createKey,
  type Credential,
  HUB_NAME,
  issueCertificate,
  loadKeyPair,
  renewAt,
} from "../../core/pki/mod.ts";
import type { HubCa } from "../../core/tokens/mod.ts";

/** Options of {@linkcode issueServing}. */
export interface ServingOptions {
  readonly ca: HubCa;
  readonly clock: Clock;
  /** Names and addresses beside this machine's own under which clients reach the hub, as of now. */
  readonly names: () => readonly string[];
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
    altNames: servingNames(options.names(), localNames()),
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
  // Nobody dials a link-local address, and each pod's interface has one.
  const dialled = addresses.map(({ address }) => address).filter((one) => !/^fe80:/i.test(one));
  return [hostname(), ...dialled];
}

/** The machine's addresses are looked at this often: an interface may come up after the hub. */
const LOOK = seconds(5);

/** Options of {@linkcode Serving}. */
export interface ServingKeeperOptions extends ServingOptions {
  /** Learns what names other hubs have been told of. */
  readonly reload: () => Promise<void>;
  /** Told of every certificate after the first. */
  readonly install: (credential: Credential) => void;
  readonly log: Logger;
}

/** The serving certificate in use, made anew when its names change or its time comes. */
export class Serving {
  readonly #options: ServingKeeperOptions;
  #current: Credential;
  #names: string;

  private constructor(options: ServingKeeperOptions, current: Credential, names: string) {
    this.#options = options;
    this.#current = current;
    this.#names = names;
  }

  /** Makes the first certificate. `install` is told of every later one. */
  static async create(options: ServingKeeperOptions): Promise<Serving> {
    const names = wantedNames(options);
    return new Serving(options, await issueServing(options), names);
  }

  /** The certificate to serve with now. */
  get current(): Credential {
    return this.#current;
  }

  /** Makes a new certificate when the names have changed or two thirds of its life are over. */
  async refresh(): Promise<void> {
    const { clock, install, log } = this.#options;
    const names = wantedNames(this.#options);
    const due = clock.now() >= renewAt(this.#current.certificate);
    if (names === this.#names && !due) return;
    this.#current = await issueServing(this.#options);
    this.#names = names;
    install(this.#current);
    log.info("serving certificate renewed", { names });
  }

  /** Keeps the certificate good. */
  service(): Service {
    return {
      name: "serving-certificate",
      onFailure: "restart",
      run: async (signal, ready) => {
        ready();
        while (!signal.aborted) {
          await this.#reload();
          await this.refresh();
          try {
            await sleep(this.#options.clock, LOOK, signal);
          } catch {
            return;
          }
        }
      },
    };
  }

  async #reload(): Promise<void> {
    try {
      await this.#options.reload();
    } catch (error) {
      this.#options.log[failureLevel(error)]("the hub's names cannot be read", {
        error: errorText(error),
      });
    }
  }
}

function wantedNames(options: ServingOptions): string {
  return servingNames(options.names(), localNames()).join(" ");
}
