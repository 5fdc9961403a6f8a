import { AppError, isAppError, systemClock, systemRandom } from "../core/base/mod.ts";
import { RemoteStore } from "../core/kube/mod.ts";
import {
  type CreateTokenOptions,
  type HubCa,
  readCa,
  SYSTEM_NAMESPACE,
  Tokens,
  type TokenView,
  viewOfToken,
} from "../core/tokens/mod.ts";
import { type ApiClient, speaksWithHub } from "./client.ts";

/** Makes, shows and revokes join tokens. */
export interface TokenDesk {
  /** Returns the text of the token, which nobody can show again. */
  create(options: CreateTokenOptions): Promise<string>;
  list(): Promise<readonly TokenView[]>;
  /** @throws {AppError} NotFound */
  revoke(id: string): Promise<void>;
}

const PATH = "/skerry/v1/tokens";

/**
 * The desk of the API that `client` speaks to. A hub with an API of its own has a route for it, as
 * nobody else may touch its namespace; on a cluster whoever may write Secrets there does it alone.
 *
 * @throws {AppError} what the API refuses; NotFound when no hub has run on this cluster yet
 */
export async function tokenDesk(client: ApiClient): Promise<TokenDesk> {
  return await speaksWithHub(client) ? atHub(client) : await onCluster(client);
}

function atHub(client: ApiClient): TokenDesk {
  return {
    async create({ node, ttl, uses, replace }) {
      const ttlSeconds = ttl === undefined ? undefined : ttl / 1000;
      return (await client.request("POST", PATH, { node, ttlSeconds, uses, replace })).token;
    },
    async list() {
      return (await client.request("GET", PATH)).items;
    },
    async revoke(id) {
      await client.request("DELETE", `${PATH}/${encodeURIComponent(id)}`);
    },
  };
}

async function onCluster({ kube }: ApiClient): Promise<TokenDesk> {
  const clock = systemClock;
  const store = new RemoteStore({ client: kube, clock, random: systemRandom });
  const tokens = new Tokens({ store, clock, ca: await hubCa(store) });
  return {
    create: async (options) => (await tokens.create(options)).text,
    list: async () => (await tokens.list()).map((info) => viewOfToken(info, clock.now())),
    revoke: (id) => tokens.revoke(id),
  };
}

async function hubCa(store: RemoteStore): Promise<HubCa> {
  try {
    return await readCa(store);
  } catch (error) {
    if (!isAppError(error, "NotFound")) throw error;
    throw new AppError(
      "NotFound",
      `no hub has run on this cluster: namespace ${SYSTEM_NAMESPACE} has no CA of one ` +
        `(${error.message}). Start the hub first: docs/install-kubernetes.md`,
    );
  }
}
