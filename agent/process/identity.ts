import {
  AppError,
  type Clock,
  errorText,
  isAppError,
  type Logger,
  retry,
  seconds,
  type Service,
  systemRandom,
  untilAborted,
} from "../../core/base/mod.ts";
import { type Identity, joinHub, loadIdentity } from "../../core/join/mod.ts";
import type { AgentOptions } from "../../core/parts/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import { allowPrune } from "../../core/sync/mod.ts";

/** What {@linkcode ensureIdentity} works with. */
export interface IdentityContext {
  readonly options: AgentOptions;
  readonly name: string;
  readonly folder: string;
  readonly store: LocalStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * This node's identity for its hub: the saved one, or a new one by the token. Waits for a hub that
 * cannot be reached. A join is a person's word that what an older hub left may go (docs/protocol.md 4.6).
 *
 * @throws {AppError} Unauthorized when there is no identity and no token, or when the hub refuses it
 */
export async function ensureIdentity(context: IdentityContext): Promise<Identity> {
  const { options, folder, log, store } = context;
  const saved = loadIdentity(folder);
  if (saved) {
    if (options.name !== "" && options.name !== saved.node) {
      log.warn("this node has joined under another name, which stays", { node: saved.node });
    }
    return saved;
  }
  const token = await readToken(options);
  const identity = await retry(
    () => joinHub({ ...context, hub: options.hub, token, name: context.name }),
    {
      clock: context.clock,
      random: systemRandom,
      backoff: { base: seconds(1), cap: seconds(15) },
      retryable: (error) => {
        const again = isAppError(error, "ServiceUnavailable");
        if (again) log.warn("cannot join yet, trying again", { error: errorText(error) });
        return again;
      },
      signal: context.signal,
    },
  );
  store.transact(allowPrune);
  log.info("joined", { node: identity.node, hub: options.hub });
  return identity;
}

/** The name to join under: the one asked for, or the machine's. */
export function nodeNameFrom(options: AgentOptions, facts: { readonly hostname: string }): string {
  return options.name || facts.hostname.toLowerCase();
}

/**
 * The identity of a running agent. A node that has not joined yet starts all the same: its pods
 * from manifests and its own API do not wait for a hub; only what needs the hub does.
 */
export class JoinedIdentity {
  readonly #context: Omit<IdentityContext, "signal">;
  readonly #joined = Promise.withResolvers<void>();
  #identity: Identity | undefined;

  constructor(context: Omit<IdentityContext, "signal">) {
    this.#context = context;
    this.#identity = loadIdentity(context.folder);
    if (this.#identity) this.#joined.resolve();
  }

  /** @throws {TypeError} before the node has joined */
  get identity(): Identity {
    if (!this.#identity) throw new TypeError("Cannot use the identity before the node has joined");
    return this.#identity;
  }

  /** Takes over a renewed identity. */
  set(identity: Identity): void {
    this.#identity = identity;
  }

  /** Joins, when that is still to do. Ends the process when the hub refuses for good. */
  service(): Service {
    return {
      name: "join",
      onFailure: "stop-process",
      run: async (signal, ready) => {
        ready();
        this.#identity ??= await ensureIdentity({ ...this.#context, signal });
        this.#joined.resolve();
        await untilAborted(signal);
      },
    };
  }

  /** A service that starts its work when the node has joined. */
  after(service: Service): Service {
    return {
      ...service,
      run: async (signal, ready) => {
        ready();
        await Promise.race([this.#joined.promise, untilAborted(signal)]);
        if (!signal.aborted) await service.run(signal, ready);
      },
    };
  }
}

async function readToken(options: AgentOptions): Promise<string> {
  if (options.token !== "") return options.token;
  const file = options["token-file"];
  if (file !== "") {
    return await Deno.readTextFile(file).catch((cause) => {
      throw new AppError("BadRequest", `Cannot read the token file ${file}`, { cause });
    });
  }
  throw new AppError(
    "Unauthorized",
    `this node has not joined ${options.hub} yet: make a token there with 'skerry token create' and give it with --token`,
  );
}
