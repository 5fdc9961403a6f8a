import { isDeepStrictEqual } from "node:util";
import { timingSafeEqual } from "node:crypto";
import { type KubeObject, RESOURCES } from "../api/mod.ts";
import {
  AppError,
  type Clock,
  hours,
  isAppError,
  isNodeName,
  minutes,
  type Ms,
  toTime,
} from "../base/mod.ts";
import { sha256Hex } from "../pki/mod.ts";
import type { Store } from "../store/mod.ts";
import type { HubCa } from "./ca.ts";
import { decodeRecord, encodeRecord, recordSecret } from "./record.ts";
import { TokenRecord } from "./records.ts";
import { ensureSystemNamespace, SYSTEM_NAMESPACE, systemSecret } from "./system.ts";
import { formatToken, isTokenId, type JoinToken, randomToken } from "./token_text.ts";

/** Options of {@linkcode Tokens.create}. */
export interface CreateTokenOptions {
  /** A node name, or a pattern with `*` and `?`. */
  readonly node: string;
  /** @default {1 h}; see {@linkcode TOKEN_LIMITS} */
  readonly ttl?: Ms;
  /** How many nodes may join with it. @default {1}; see {@linkcode TOKEN_LIMITS} */
  readonly uses?: number;
  /** Whether it may take the name of a node that has joined. @default {false} */
  readonly replace?: boolean;
}

/** What may be shown of a token: everything but its hash. */
export type TokenInfo = Omit<TokenRecord, "hash">;

/** A token as the API and the command line show it. */
export interface TokenView {
  readonly id: string;
  /** A node name, or a pattern. */
  readonly node: string;
  /** RFC 3339. */
  readonly expires: string;
  readonly usesLeft: number;
  readonly state: "valid" | "used" | "expired" | "revoked";
  /** The nodes that have joined with it. */
  readonly joined: readonly string[];
}

/** What is shown of a token at `now`. Pure. */
export function viewOfToken(info: TokenInfo, now: Ms): TokenView {
  const usesLeft = Math.max(0, info.uses - info.joins.length);
  const expired = now >= info.expiresAt;
  return {
    id: info.id,
    node: info.node,
    expires: toTime(info.expiresAt as Ms),
    usesLeft,
    state: info.revoked ? "revoked" : expired ? "expired" : usesLeft === 0 ? "used" : "valid",
    joined: info.joins.map(({ node }) => node),
  };
}

const LABEL = "skerry.dev/token";
/** What {@linkcode Tokens.create} takes, smallest and largest. */
export const TOKEN_LIMITS = {
  ttl: [minutes(1), hours(365 * 24)],
  uses: [1, 10_000],
} as const;
/** An expired token stays in the list this long, so that people can see why a join failed. */
const KEEP_EXPIRED = hours(24);
const NO_HASH = "0".repeat(64);

/** The join tokens of a hub, as Secrets `skerry-token-<id>`. */
export class Tokens {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #ca: Pick<HubCa, "fingerprint">;

  constructor(options: { store: Store; clock: Clock; ca: Pick<HubCa, "fingerprint"> }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#ca = options.ca;
  }

  /**
   * Makes a token. Its text is in this answer and nowhere else.
   * @throws {AppError} Invalid
   */
  async create(options: CreateTokenOptions): Promise<{ text: string; info: TokenInfo }> {
    const { node, ttl = hours(1), uses = 1, replace = false } = options;
    check(node, ttl, uses);
    const { id, secret } = randomToken();
    const now = this.#clock.now();
    const record: TokenRecord = {
      id,
      hash: await sha256Hex(secret),
      node,
      createdAt: now,
      expiresAt: now + ttl,
      uses,
      replace,
      revoked: false,
      joins: [],
    };
    await ensureSystemNamespace(this.#store);
    const type = "skerry.dev/token";
    const name = `skerry-token-${id}`;
    await this.#store.create(
      RESOURCES.secrets,
      recordSecret({ name, type, labels: { [LABEL]: "true" }, record }),
    );
    return { text: formatToken({ ca: this.#ca.fingerprint, id, secret }), info: show(record) };
  }

  /**
   * All tokens that have not been swept, newest first.
   *
   * @param unreadable told of each whose Secret somebody has spoilt; nobody joins by such a one
   */
  async list(unreadable?: (error: unknown) => void): Promise<TokenInfo[]> {
    const { items } = await this.#store.list(RESOURCES.secrets, {
      namespace: SYSTEM_NAMESPACE,
      labelSelector: `${LABEL}=true`,
    });
    return items.flatMap((item) => {
      try {
        return [show(readTokenRecord(item))];
      } catch (error) {
        unreadable?.(error);
        return [];
      }
    }).sort((a, b) => b.createdAt - a.createdAt);
  }

  /** Makes a token useless. Nodes that joined with it stay. @throws {AppError} NotFound */
  async revoke(id: string): Promise<void> {
    await this.change(id, (record) => ({ ...record, revoked: true }));
  }

  /**
   * The record of a token whose secret is right.
   * @throws {AppError} Unauthorized, in the same words for a wrong id and for a wrong secret
   */
  async authenticate(token: JoinToken): Promise<TokenRecord> {
    let record: TokenRecord | undefined;
    try {
      record = readTokenRecord(await this.#store.get(tokenRef(token.id)));
    } catch (error) {
      if (!isAppError(error, "NotFound")) throw error;
    }
    // Hashed and compared in any case, so that time does not tell an id that exists.
    const hash = Uint8Array.fromHex(await sha256Hex(token.secret));
    const right = timingSafeEqual(hash, Uint8Array.fromHex(record?.hash ?? NO_HASH));
    if (!record || !right) {
      throw new AppError("Unauthorized", "the token is not known here: make one on this hub");
    }
    return record;
  }

  /**
   * Changes a record with compare-and-swap; what `change` throws comes through.
   * @throws {AppError} NotFound
   */
  async change(id: string, change: (record: TokenRecord) => TokenRecord): Promise<void> {
    await this.#store.update(tokenRef(id), (secret) => {
      const before = readTokenRecord(secret);
      const after = change(before);
      return isDeepStrictEqual(before, after) ? secret : { ...secret, data: encodeRecord(after) };
    });
  }

  /** Removes tokens that expired a day ago. Returns how many. See {@linkcode Tokens.list}. */
  async sweep(unreadable?: (error: unknown) => void): Promise<number> {
    const now = this.#clock.now();
    let count = 0;
    for (const token of await this.list(unreadable)) {
      if (now < token.expiresAt + KEEP_EXPIRED) continue;
      try {
        await this.#store.delete(tokenRef(token.id));
        count++;
      } catch (error) {
        if (!isAppError(error, "NotFound")) throw error;
      }
    }
    return count;
  }
}

function readTokenRecord(secret: KubeObject): TokenRecord {
  return decodeRecord(TokenRecord, secret, 'make another token with "skerry token create"');
}

function tokenRef(id: string) {
  // An id becomes a part of an object's name; anything else must not reach the store.
  if (!isTokenId(id)) {
    throw new AppError("NotFound", `there is no token with the id ${JSON.stringify(id)}`);
  }
  return systemSecret(`skerry-token-${id}`);
}

function check(node: string, ttl: Ms, uses: number): void {
  const bad = (field: string, message: string): AppError =>
    new AppError("Invalid", `${field}: ${message}`, {
      causes: [{ field, message, reason: "FieldValueInvalid" }],
    });
  // A pattern must become a name once its wildcards are filled in.
  const filled = node.replaceAll("*", "x").replaceAll("?", "x");
  if (!isNodeName(filled)) {
    throw bad("node", "must be a node name (a-z, 0-9, - and .), or a pattern with * and ?");
  }
  const [shortest, longest] = TOKEN_LIMITS.ttl;
  if (!(ttl >= shortest && ttl <= longest)) throw bad("ttl", "must be 1 minute to 365 days");
  const [fewest, most] = TOKEN_LIMITS.uses;
  if (!(Number.isInteger(uses) && uses >= fewest && uses <= most)) {
    throw bad("uses", `must be ${fewest} to ${most}`);
  }
}

function show({ hash: _, ...info }: TokenRecord): TokenInfo {
  return info;
}
