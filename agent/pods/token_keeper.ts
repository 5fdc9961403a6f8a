import type { Pod } from "../../core/api/mod.ts";
import {
  AppError,
  backoffDelay,
  type Clock,
  errorText,
  fromTime,
  isAppError,
  type Logger,
  type Ms,
  ms,
  type Random,
  retry,
  seconds,
  sleep,
  Slots,
} from "../../core/base/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import {
  pruneTokens,
  readToken,
  refreshTime,
  tokenKey,
  type TokenSource,
  tokenSources,
  writeToken,
} from "./pod_tokens.ts";

/** Has the cluster issue a token for a pod's service account, bound to the pod. */
export type RequestToken = (
  pod: Pod,
  source: TokenSource,
  signal: AbortSignal,
) => Promise<{
  readonly token: string;
  /** RFC 3339. */
  readonly expires: string;
}>;

/** Options of {@linkcode TokenKeeper}. */
export interface TokenKeeperOptions {
  readonly store: LocalStore;
  /** Absent on a node without a hub. */
  readonly request: RequestToken | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Told after a token was written. @default {nobody is} */
  readonly onToken?: (() => void) | undefined;
  /** Told when the tokens of a pod have changed, or one cannot be had. */
  readonly changed: (uid: string, after: Ms) => void;
}

/** A refusal is asked again so often before it is told: who issues may see a new pod a moment late. */
const FIRST = { attempts: 3, backoff: { base: ms(500), cap: seconds(1) } };
const BACKOFF = { base: seconds(1), cap: seconds(60) };
/** Requests at once: the hub answers eight calls of a node. */
const MAX_REQUESTS = 4;
/** An answer that expires sooner is none. */
const LEAST = seconds(10);

/**
 * Keeps the service account tokens of pods: asks for those that are missing, replaces them in time,
 * and keeps the last one for as long as the hub is away.
 */
export class TokenKeeper {
  readonly #options: TokenKeeperOptions;
  readonly #slots = new Slots(MAX_REQUESTS);
  readonly #asking = new Map<string, Promise<void>>();
  /** Why a token cannot be had, by pod and token. */
  readonly #problems = new Map<string, string>();

  constructor(options: TokenKeeperOptions) {
    this.#options = options;
  }

  /**
   * Looks at the tokens of a pod that is to run. Returns why it cannot start yet.
   *
   * @param held by `tokenKey`, those with which it would start: read a while ago, they may lack one
   * that is kept by now
   */
  look(
    pod: Pod,
    held: Readonly<Record<string, string>>,
  ): { readonly message: string; readonly tell?: string } | undefined {
    const { store, clock, changed } = this.#options;
    const { uid = "" } = pod.metadata;
    const now = clock.now();
    let missing: string | undefined;
    for (const source of tokenSources(pod)) {
      const found = store.transact((tx) => readToken(tx, pod, source));
      const due = found ? refreshTime(found) : now;
      // A clock that was set back must not keep an old token.
      const ahead = found !== undefined && found.issuedAt > now + seconds(60);
      if (due <= now || ahead) this.#ask(pod, source);
      else changed(uid, ms(due - now));
      if (!Object.hasOwn(held, tokenKey(source))) missing = keyOf(uid, source);
    }
    if (missing === undefined) return undefined;
    const problem = this.#problems.get(missing);
    const account = pod.spec.serviceAccountName ?? "default";
    return problem === undefined
      ? { message: `the token of its service account "${account}" is being fetched` }
      : { message: `no token for service account "${account}": ${problem}`, tell: "FailedMount" };
  }

  /** Forgets a pod. */
  drop(uid: string): void {
    for (const key of this.#problems.keys()) {
      if (key.startsWith(`${uid}_`)) this.#problems.delete(key);
    }
    pruneTokens(this.#options.store, (other) => other !== uid);
  }

  /** Waits for what is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#asking.values());
  }

  #ask(pod: Pod, source: TokenSource): void {
    const key = keyOf(pod.metadata.uid ?? "", source);
    if (this.#asking.has(key)) return;
    const work = this.#work(pod, source, key).finally(() => this.#asking.delete(key));
    this.#asking.set(key, work);
  }

  /** Until there is one; a pod that has ended is not asked for again. */
  async #work(pod: Pod, source: TokenSource, key: string): Promise<void> {
    const { store, clock, random, log, signal, changed, onToken } = this.#options;
    const { uid = "" } = pod.metadata;
    try {
      const token = await retry(() => this.#request(pod, source), {
        ...{ ...FIRST, clock, random, signal },
        retryable: (error) => !isAppError(error, "Unsupported"),
      });
      writeToken(store, pod, source, token);
      this.#problems.delete(key);
      changed(uid, ms(0));
      onToken?.();
    } catch (error) {
      if (signal.aborted) return;
      const text = errorText(error);
      if (this.#problems.get(key) !== text) {
        log.warn("a service account token cannot be had", { uid, error: text });
        this.#problems.set(key, text);
        changed(uid, ms(0));
      }
      const tries = isAppError(error, "ServiceUnavailable", "Timeout", "TooManyRequests") ? 2 : 4;
      await sleep(clock, ms(BACKOFF.base + backoffDelay(BACKOFF, tries, random)), signal)
        .catch(() => {});
      changed(uid, ms(0));
    }
  }

  async #request(pod: Pod, source: TokenSource) {
    const { request, clock, signal } = this.#options;
    if (!request) {
      throw new AppError("Unsupported", "this node has no hub that could issue one");
    }
    using _slot = await this.#slots.take(signal);
    const issuedAt = clock.now();
    const { token, expires } = await request(pod, source, signal);
    const expiresAt = fromTime(expires);
    if (typeof token !== "string" || token === "" || expiresAt === undefined) {
      throw new AppError("InternalError", "the hub's answer holds no token");
    }
    return { token, issuedAt, expiresAt: Math.max(expiresAt, issuedAt + LEAST) as Ms };
  }
}

function keyOf(uid: string, source: TokenSource): string {
  return `${uid}_${tokenKey(source)}`;
}
