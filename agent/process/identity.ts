import {
  AppError,
  type Clock,
  errorText,
  isAppError,
  type Logger,
  retry,
  seconds,
  systemRandom,
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
