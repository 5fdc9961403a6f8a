import { type Node, RESOURCES, type Secret } from "../../core/api/mod.ts";
import {
  type Clock,
  type Logger,
  type Ms,
  type NodeName,
  type Random,
  seconds,
  type Service,
} from "../../core/base/mod.ts";
import { Informer } from "../../core/cache/mod.ts";
import {
  Actor,
  createController,
  runTogether,
  trigger,
  View,
  type Views,
} from "../../core/control/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { type Identities, OTHERS_NODE } from "./identities.ts";
import { IDENTITY_PREFIX } from "./let_in.ts";
import { findNode, sightOf } from "./node_sight.ts";
import { decideNodeStep } from "./policy.ts";
import type { IdentityRecord } from "../../core/tokens/mod.ts";
import { IDENTITY_LABEL, SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";

/** From finding the cluster's history in motion to the next look at an identity. */
const LOOK_AGAIN = seconds(10);

/** Options of {@linkcode createNodeWatch}. */
export interface NodeWatchOptions {
  readonly store: Store;
  readonly views: Views;
  readonly identities: Identities;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Of {@linkcode identitySecrets}; this runs it. */
  readonly secrets: Informer<Secret>;
  /** Whether the cluster's history stands, looked at now. @default {it always does} */
  readonly isSteady?: () => Promise<boolean>;
  /** Told when a node's identity may have changed, from whichever hub: check its sessions again. */
  readonly onChange?: (node: NodeName) => void;
}

/** The Secrets that hold identities. */
export function identitySecrets(
  options: Pick<NodeWatchOptions, "store" | "clock" | "random" | "log">,
): Informer<Secret> {
  return new Informer({
    ...options,
    resource: RESOURCES.secrets,
    selection: { namespace: SYSTEM_NAMESPACE, labelSelector: `${IDENTITY_LABEL}=true` },
  });
}

/**
 * Services that shut a node out when its Node object is deleted, also when that happened while no
 * hub ran.
 */
export function createNodeWatch(options: NodeWatchOptions): Service[] {
  const { store, views, secrets, identities, clock, onChange } = options;
  const isSteady = options.isSteady ?? (() => Promise.resolve(true));
  const nodes = views.of<Node>(RESOURCES.nodes);
  const actor = new Actor(store);
  const controller = createController({
    ...options,
    name: "join-nodes",
    triggers: [
      trigger(nodes, (node) => [node.metadata.name]),
      trigger(new View(secrets), (secret) => [secret.metadata.name.slice(IDENTITY_PREFIX.length)]),
    ],
    reconcile: async (key) => {
      const name = key as NodeName;
      onChange?.(name);
      const identity = await identities.get(name);
      if (!identity) return;
      const seen = nodes.get(name);
      if (decideNodeStep(identity, seen && sightOf(seen)) === "nothing") return;
      return await act(name, identity);
    },
  });

  /**
   * Acts on what the store says of exactly this Node. Only a person can undo most of it, and a view
   * may lack what is there: of another server, or of a cluster that is being restored.
   */
  async function act(name: NodeName, identity: IdentityRecord): Promise<Ms | undefined> {
    const node = await findNode(store, name);
    const step = decideNodeStep(identity, node);
    if (step === "nothing") return;
    if (!await isSteady()) return clock.now() + LOOK_AGAIN as Ms;
    if (step === "bind") {
      await identities.change(
        name,
        (record) => record.revoked || record.nodeUid ? record : { ...record, nodeUid: node?.uid },
      );
      return;
    }
    const others = step === "revoke-for-other";
    const reason = others ? OTHERS_NODE : "the node was deleted";
    const what = others ? "a node's name is that of somebody else's Node" : "node was deleted";
    options.log.info(`${what}, shutting its identity out`, { node: name });
    await identities.revoke(name, reason, identity);
    if (step !== "revoke-and-remove") return;
    const object = { apiVersion: "v1", kind: "Node", metadata: { name, uid: node?.uid ?? "" } };
    await actor.run([{ do: "delete", resource: RESOURCES.nodes, object }]);
  }

  const followed: Service = {
    name: "join-views",
    onFailure: "restart",
    run: (signal, ready) => runTogether([secrets], { signal, ready }),
  };
  return [followed, controller];
}
