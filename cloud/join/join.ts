import {
  type Clock,
  errorText,
  hours,
  type Logger,
  type NodeName,
  type Random,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import type { Views } from "../../core/control/mod.ts";
import type { Handler } from "../../core/http/mod.ts";
import type { Credential } from "../../core/pki/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { ensureCa, type HubCa, SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";
import { caWatch } from "./ca_watch.ts";
import { createJoinHandler } from "./handler.ts";
import { Identities } from "./identities.ts";
import { IDENTITY_PREFIX } from "./let_in.ts";
import { createNodeWatch, identitySecrets } from "./node_watch.ts";
import { HubNames } from "./hub_names.ts";
import { Serving } from "./serving.ts";
import { Tokens } from "../../core/tokens/mod.ts";

/** Options of {@linkcode createJoin}. */
export interface JoinOptions {
  readonly store: Store;
  readonly views: Views;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Name of the cluster, shown to nodes and in the kubeconfig. @default {"skerry"} */
  readonly cluster?: string;
  /** Names and addresses beside the machine's own for the serving certificate. @default {none} */
  readonly names?: readonly string[];
  /** Told of every new serving certificate after the first. */
  readonly onServing?: (credential: Credential) => void;
  /**
   * Whether the cluster's history stands, looked at now: in one that was restored from a copy nothing
   * is taken for deleted. @default {it always does}
   */
  readonly isSteady?: () => Promise<boolean>;
  /** Told when a node's identity may have changed: call `identities.check` for its sessions. */
  readonly onIdentity?: (node: NodeName) => void;
}

/** The join room of a running hub. */
export interface Join {
  readonly ca: HubCa;
  readonly tokens: Tokens;
  readonly identities: Identities;
  /** Answers `POST /join`. */
  readonly handle: Handler;
  /** The serving certificate to start listeners with. */
  readonly serving: Credential;
  readonly services: readonly Service[];
}

/**
 * Loads or makes the CA, makes the serving certificate, and ties the parts together.
 * @throws {AppError} what the store throws, InternalError when the CA's Secret is damaged or missing
 */
export async function createJoin(options: JoinOptions): Promise<Join> {
  const { store, clock, log, cluster = "skerry", names = [] } = options;
  const ca = await ensureCa({ store, clock });
  const tokens = new Tokens({ store, clock, ca });
  const secrets = identitySecrets(options);
  const identities = new Identities({
    ...{ store, clock, ca, log },
    remembered: (node) => secrets.view.get(`${SYSTEM_NAMESPACE}/${IDENTITY_PREFIX}${node}`),
  });
  const hubNames = new HubNames(store);
  await hubNames.load();
  const serving = await Serving.create({
    ca,
    clock,
    log,
    names: () => [...names, ...hubNames.all],
    reload: () => hubNames.load(),
    install: (credential) => options.onServing?.(credential),
  });
  const reached = async (host: string): Promise<void> => {
    if (await hubNames.add(host)) await serving.refresh();
  };
  return {
    ca,
    tokens,
    identities,
    serving: serving.current,
    handle: createJoinHandler({ ca, tokens, identities, store, cluster, clock, log, reached }),
    services: [
      ...createNodeWatch({
        ...options,
        secrets,
        identities,
        ...(options.onIdentity ? { onChange: options.onIdentity } : {}),
      }),
      caWatch({ ...options, ca }),
      tokenSweep(tokens, clock, log),
      serving.service(),
    ],
  };
}

/** Removes expired tokens once an hour. */
function tokenSweep(tokens: Tokens, clock: Clock, log: Logger): Service {
  return {
    name: "token-sweep",
    onFailure: "restart",
    async run(signal, ready) {
      ready();
      while (!signal.aborted) {
        await tokens.sweep((error) =>
          log.warn("a join token is of no use any more", { error: errorText(error) })
        );
        try {
          await sleep(clock, hours(1), signal);
        } catch {
          return;
        }
      }
    },
  };
}
