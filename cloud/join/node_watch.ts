import { type Node, RESOURCES, type Secret } from "../../core/api/mod.ts";
import type { Clock, Logger, NodeName, Random, Service } from "../../core/base/mod.ts";
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
import { type Identities, IDENTITY_PREFIX } from "./identities.ts";
import type { IdentityRecord } from "../../core/tokens/mod.ts";
import { IDENTITY_LABEL, SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";

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

/** What to do about an identity, given the Node object that there is. */
export type NodeStep = "nothing" | "bind" | "revoke" | "revoke-and-remove";

/**
 * Whether an identity still fits its Node object. Pure. An identity is bound to the first Node that
 * appears after the join; when that one is gone, somebody deleted it, and the node is shut out. One
 * with another uid was made by the node itself between the deletion and the shutting out.
 */
export function decideNodeStep(identity: IdentityRecord, nodeUid: string | undefined): NodeStep {
  if (identity.revoked) return "nothing";
  if (identity.nodeUid === undefined) return nodeUid === undefined ? "nothing" : "bind";
  if (nodeUid === undefined) return "revoke";
  return nodeUid === identity.nodeUid ? "nothing" : "revoke-and-remove";
}

/**
 * Services that shut a node out when its Node object is deleted, also when that happened while no
 * hub ran.
 */
export function createNodeWatch(options: NodeWatchOptions): Service[] {
  const { store, views, secrets, identities, onChange } = options;
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
      const node = nodes.get(name);
      const uid = node?.metadata.uid;
      const step = decideNodeStep(identity, uid);
      if (step === "nothing") return;
      if (step === "bind" && uid !== undefined) {
        await identities.change(name, (record) => ({ ...record, nodeUid: uid }));
        return;
      }
      options.log.info("node was deleted, shutting its identity out", { node: name });
      await identities.revoke(name, "the node was deleted");
      if (step === "revoke-and-remove" && node) {
        await actor.run([{ do: "delete", resource: RESOURCES.nodes, object: node }]);
      }
    },
  });
  const followed: Service = {
    name: "join-views",
    onFailure: "restart",
    run: (signal, ready) => runTogether([secrets], { signal, ready }),
  };
  return [followed, controller];
}
