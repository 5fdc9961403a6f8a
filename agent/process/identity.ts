import {
  AppError,
  type Clock,
  errorText,
  isAppError,
  type Logger,
  OutageLog,
  retry,
  seconds,
  type Service,
  systemRandom,
  untilAborted,
} from "../../core/base/mod.ts";
import {
  type Identity,
  joinAdvice,
  joinHub,
  loadIdentity,
  readFile,
  writeFile,
} from "../../core/join/mod.ts";
import type { Credentials } from "../../core/link/mod.ts";
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

/** File beside the identity: the id of the token that it came from. */
const TOKEN_FILE = "token-id";

/**
 * This node's identity for its hub: the saved one, or a new one by the token. A token that the saved
 * one did not come from is a person's word to join again, e.g. after the node was deleted; when the
 * hub does not take it, the saved identity stays. Waits for a hub that cannot be reached.
 *
 * @throws {AppError} Unauthorized when there is no identity and no token, or when the hub refuses it
 */
export async function ensureIdentity(context: IdentityContext): Promise<Identity> {
  const { options, folder, log } = context;
  const saved = loadIdentity(folder);
  if (!saved) {
    const token = await readToken(context);
    // Before the join: the identity is saved in the middle of it, and an agent that is killed then may
    // start without the token. Until there is an identity no hub can take the word.
    context.store.transact(allowPrune);
    return await joinAnew(context, token);
  }
  if (options.name !== "" && options.name !== saved.node) {
    log.warn("this node has joined under another name, which stays", { node: saved.node });
  }
  if (options.token === "" && options["token-file"] === "") return saved;
  try {
    const token = await readToken(context);
    if (readFile(`${folder}/${TOKEN_FILE}`) === idOf(token)) return saved;
    return await joinAnew(context, token);
  } catch (error) {
    if (!isAppError(error, "BadRequest", "Unauthorized")) throw error;
    log.error("cannot join again, going on with the identity of before", {
      error: errorText(error),
    });
    return saved;
  }
}

/** The public part of a token. */
function idOf(token: string): string {
  return token.split(".")[2] ?? "";
}

/** A join is a person's word that what an older hub left may go (docs/protocol.md 4.6). */
async function joinAnew(context: IdentityContext, token: string): Promise<Identity> {
  const { options, clock, folder, log, store } = context;
  const outage = new OutageLog({ clock, log });
  const identity = await retry(
    () => joinHub({ ...context, hub: options.hub, token, name: context.name }),
    {
      clock,
      random: systemRandom,
      backoff: { base: seconds(1), cap: seconds(15) },
      retryable: (error) => {
        const again = isAppError(error, "ServiceUnavailable");
        if (again) {
          outage.failed("warn", "cannot join yet, trying again", { error: errorText(error) });
        }
        return again;
      },
      signal: context.signal,
    },
  ).catch((error) => {
    // Another try would meet the same hub: a person must look at the address.
    if (!isAppError(error, "Forbidden")) throw error;
    throw new AppError("Unauthorized", error.message, { cause: error });
  });
  // First the word, then the note that the token was used: an agent that is killed between them joins
  // again with that token, which the hub allows to the same key.
  store.transact(allowPrune);
  writeFile(folder, TOKEN_FILE, idOf(token));
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
  }

  /** @throws {TypeError} before the node has joined */
  get identity(): Identity {
    if (!this.#identity) throw new TypeError("Cannot use the identity before the node has joined");
    return this.#identity;
  }

  /** What to show the hub. @throws {TypeError} before the node has joined */
  get credentials(): Credentials {
    const { ca, certificate, key } = this.identity;
    return { ca, cert: certificate, key };
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
        this.#identity = await ensureIdentity({ ...this.#context, signal });
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

async function readToken({ options, name }: IdentityContext): Promise<string> {
  if (options.token !== "") return options.token;
  const file = options["token-file"];
  if (file !== "") {
    return await Deno.readTextFile(file).catch((cause) => {
      throw new AppError("BadRequest", `Cannot read the token file ${file}`, { cause });
    });
  }
  throw new AppError(
    "Unauthorized",
    `this node has not joined ${options.hub} yet: ${joinAdvice({ node: name, hub: options.hub })}`,
  );
}
