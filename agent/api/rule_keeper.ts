import type { ResourceDef } from "../../core/api/mod.ts";
import {
  type Clock,
  errorText,
  linkSignals,
  type Logger,
  minutes,
  type Ms,
  ms,
  type Random,
  seconds,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import type { Account } from "../pods/mod.ts";
import type { ClusterPhase } from "./pods_api.ts";
import { type AccountRules, type Rules, rulesIn } from "./rules.ts";

/** Options of {@linkcode RuleKeeper}. */
export interface RuleKeeperOptions {
  readonly store: LocalStore;
  /** The accounts of this node's pods, each with a good token. */
  readonly accounts: () => readonly { readonly account: Account; readonly token: string }[];
  readonly phase: () => ClusterPhase;
  /** Sends a request to the API server by the hub. */
  readonly forward: (request: Request, signal: AbortSignal) => Promise<Response>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Rules older than this are asked for again. */
const FRESH = minutes(5);
/** What failed is tried again after this. */
const PAUSE = seconds(10);
/** Largest answer that is read. */
const MOST = 2 ** 20;
/** A namespace that cannot exist: in it only what holds everywhere holds. */
const NOWHERE = "skerry.nowhere";
const REVIEW = "https://localhost/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";

/** The kind under which rules stand in this node's own store, sealed; nobody serves it. */
const RULES: ResourceDef = {
  group: "skerry.dev",
  version: "v1alpha1",
  plural: "podrules",
  singular: "podrule",
  kind: "PodRules",
  shortNames: [],
  categories: [],
  namespaced: true,
  hasStatus: false,
};

interface Kept extends AccountRules {
  /** Wall clock. */
  readonly asked: Ms;
}

/**
 * Keeps what the service accounts of this node's pods may do, for when the cluster is away: asks the API
 * server with their own tokens, again every few minutes, and forgets accounts that no pod has.
 */
export class RuleKeeper {
  readonly #options: RuleKeeperOptions;
  #wake: (() => void) | undefined;
  #kicked = false;
  /** Why the rights of an account cannot be had. */
  readonly #problems = new Map<string, string>();

  constructor(options: RuleKeeperOptions) {
    this.#options = options;
  }

  /** What an account may do, as the API server said last; `undefined` when it never did. */
  rulesOf(account: Account): AccountRules | undefined {
    return this.#read(account);
  }

  /** There may be an account that is not known yet. */
  kick(): void {
    this.#kicked = true;
    this.#wake?.();
  }

  /** Asks as long as it runs. */
  service(): Service {
    return {
      name: "pod-rules",
      onFailure: "restart",
      run: async (signal, ready) => {
        ready();
        while (!signal.aborted) {
          this.#kicked = false;
          const failed = await this.#look(signal);
          await this.#pause(failed ? PAUSE : FRESH, signal);
        }
      },
    };
  }

  /** Returns whether something is to be tried again soon. */
  async #look(signal: AbortSignal): Promise<boolean> {
    const { accounts, phase, clock } = this.#options;
    const present = accounts();
    this.#prune(present.map(({ account }) => account));
    const { away, ends } = phase();
    if (away) return false;
    let failed = false;
    // An answer that has begun must not be waited for when the cluster is away.
    using either = linkSignals(signal, ends);
    for (const { account, token } of present) {
      const age = clock.now() - (this.#read(account)?.asked ?? -Infinity);
      if (age >= 0 && age < FRESH * 0.9) continue;
      if (signal.aborted || ends.aborted) return false;
      try {
        await this.#ask(account, token, either.signal);
      } catch (error) {
        if (either.signal.aborted) return false;
        failed = true;
        this.#warn(account, errorText(error));
      }
    }
    return failed;
  }

  /** Once for each reason: it is tried again and again. */
  #warn(account: Account, error: string): void {
    const key = `${account.namespace}/${account.name}`;
    if (this.#problems.get(key) === error) return;
    this.#problems.set(key, error);
    this.#options.log.warn("the rights of a service account cannot be asked for", {
      ...account,
      error,
    });
  }

  async #ask(account: Account, token: string, signal: AbortSignal): Promise<void> {
    const asked = this.#options.clock.now();
    const own = await this.#review(account.namespace, token, signal);
    const everywhere = await this.#review(NOWHERE, token, signal);
    this.#write(account, { own, everywhere, asked });
    this.#problems.delete(`${account.namespace}/${account.name}`);
  }

  async #review(namespace: string, token: string, signal: AbortSignal): Promise<Rules> {
    const request = new Request(REVIEW, {
      method: "POST",
      headers: {
        "accept": "application/json",
        "authorization": `Bearer ${token}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectRulesReview",
        spec: { namespace },
      }),
    });
    const response = await this.#options.forward(request, signal);
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > MOST) throw new Error(`the answer is over ${MOST} characters`);
    }
    if (response.status !== 201) {
      throw new Error(`the API server answered ${response.status}: ${text.slice(0, 300)}`);
    }
    return rulesIn(JSON.parse(text).status);
  }

  #read({ namespace, name }: Account): Kept | undefined {
    const found = this.#options.store.transact((tx) =>
      tx.get({ resource: RULES, namespace, name })
    );
    return found?.["spec"] as Kept | undefined;
  }

  #write({ namespace, name }: Account, spec: Kept): void {
    this.#options.store.transact((tx) =>
      tx.put(RULES, {
        apiVersion: "skerry.dev/v1alpha1",
        kind: RULES.kind,
        metadata: { namespace, name },
        spec,
      })
    );
  }

  #prune(present: readonly Account[]): void {
    const keep = new Set(present.map(({ namespace, name }) => `${namespace}/${name}`));
    for (const key of this.#problems.keys()) if (!keep.has(key)) this.#problems.delete(key);
    this.#options.store.transact((tx) => {
      for (const { metadata: { namespace = "", name } } of tx.list(RULES)) {
        if (!keep.has(`${namespace}/${name}`)) tx.purge({ resource: RULES, namespace, name });
      }
    });
  }

  /** Until something may have changed: a kick, the cluster's phase, or the time. */
  async #pause(span: Ms, signal: AbortSignal): Promise<void> {
    const { clock, random, phase } = this.#options;
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    this.#wake = wake;
    const { ends } = phase();
    const all = [signal, ends];
    for (const one of all) one.addEventListener("abort", wake, { once: true });
    if (this.#kicked || all.some((one) => one.aborted)) wake();
    const wait = ms(Math.round(span * (0.9 + 0.2 * random())));
    await sleep(clock, wait, woken.signal).catch(() => {/* woken */});
    for (const one of all) one.removeEventListener("abort", wake);
    this.#wake = undefined;
  }
}
