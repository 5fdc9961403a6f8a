import { AppError, type Clock } from "../../core/base/mod.ts";
import type { ExtraSubresource } from "../../core/http/mod.ts";
import type { Credentials } from "../../core/link/mod.ts";
import { VERSION } from "../../core/parts/mod.ts";
import {
  type Away,
  type ClusterPhase,
  createPodsApi,
  HubApi,
  type LocalApiPods,
  RuleKeeper,
} from "../api/mod.ts";
import type { LinkState } from "../link/mod.ts";
import { accountTokens, type PodManager, tokenOwner } from "../pods/mod.ts";
import type { Base } from "./base.ts";

const GONE: Readonly<Record<Away, string>> = {
  "hub": "the link to the hub has gone",
  "server": "the API server has gone away",
};

/** Tells who asks whether the cluster's API server can be asked now, and when that changes. */
export class ClusterPhases {
  #away: Away | undefined = "hub";
  #change = new AbortController();

  /** The present phase. */
  get now(): ClusterPhase {
    return { away: this.#away, ends: this.#change.signal };
  }

  /** The link stands so now. */
  set({ connected, serverAway = false }: Pick<LinkState, "connected" | "serverAway">): void {
    const before = this.#away;
    const away = connected ? (serverAway ? "server" : undefined) : "hub";
    this.#away = away;
    // Of which of the two is away nothing depends that goes on: it is served from here.
    if ((before === undefined) === (away === undefined)) return;
    const change = this.#change;
    this.#change = new AbortController();
    const why = away ? GONE[away] : "the cluster's API server is back";
    change.abort(new AppError("ServiceUnavailable", why));
  }
}

/** The Kubernetes API for the pods of this node. */
export interface PodApi extends Disposable {
  readonly keeper: RuleKeeper;
  /** For the local API. */
  serve(pods: PodManager, subresources: readonly ExtraSubresource[]): LocalApiPods;
}

/** Puts together what serves the pods of a node with a hub. */
export function createPodApi(
  base: Base,
  phases: ClusterPhases,
  credentials: () => Credentials,
): PodApi {
  const { store, node, log, random, options } = base;
  const clock: Clock = base.clock;
  const phase = (): ClusterPhase => phases.now;
  const hub = new HubApi({ hub: options.hub, credentials, link: () => phase().ends, clock });
  const forward = (request: Request, signal: AbortSignal): Promise<Response> =>
    hub.send(request, signal);
  const keeper = new RuleKeeper({
    ...{ store, clock, random, log, phase, forward },
    accounts: () => accountTokens(store, node),
  });
  return {
    keeper,
    serve: (pods, subresources) => ({
      hasAddress: (ip) => pods.hasAddress(ip),
      handler: () =>
        createPodsApi({
          ...{ store, clock, log, phase, forward, subresources, version: VERSION },
          owner: (token, linked) => tokenOwner(store, token, { node, now: clock.now(), linked }),
          rulesOf: (account) => keeper.rulesOf(account),
        }),
    }),
    [Symbol.dispose]: () => hub[Symbol.dispose](),
  };
}
