/** Many hollow nodes behind one address, and what a cluster says of them and of their pods. */
import type { Lease, Node, Pod } from "../../core/api/mod.ts";
import { fromTime } from "../../core/base/mod.ts";
import { type HubAt, isReady, type Site } from "../e2e/gateway_lib.ts";
import { HollowNode, joinHollow } from "./hollow_node.ts";

/** A small client of a cluster's API. */
export type Api = Awaited<ReturnType<Site["client"]>>;

/** Nodes `hollow-0`, `hollow-1`, and so on. */
export class Fleet {
  readonly nodes: HollowNode[] = [];
  /** When each node's link went down last, by `performance.now()`, of those that are down. */
  readonly #down = new Map<string, number>();
  /** How long links were down, in ms, since {@linkcode Fleet.forget}. */
  #gaps: number[] = [];
  /** Nodes whose link went down since then. */
  readonly #cut = new Set<string>();

  /** Joins `count` nodes by one token at `address`; `hub` is whose kubeconfig makes it. */
  static async join(
    site: Site,
    { hub, address, count }: { readonly hub: HubAt; readonly address: string; count: number },
  ): Promise<Fleet> {
    const fleet = new Fleet();
    const token = await site.token(hub, "hollow-*", [`--uses=${count}`]);
    for (let i = 0; i < count; i++) {
      const name = `hollow-${i}`;
      const folder = `${site.folder}/${name}`;
      const identity = await joinHollow({ name, hub: address, token, folder });
      const onLink = (connected: boolean): void => fleet.#onLink(name, connected);
      fleet.nodes.push(
        site.hold(HollowNode.start({ name, hub: address, identity, onLink })),
      );
    }
    return fleet;
  }

  #onLink(name: string, connected: boolean): void {
    const now = performance.now();
    const since = this.#down.get(name);
    if (!connected) {
      this.#down.set(name, now);
      this.#cut.add(name);
    } else if (since !== undefined) {
      this.#down.delete(name);
      this.#gaps.push(now - since);
    }
  }

  /** Begins to count gaps anew. */
  forget(): void {
    this.#gaps = [];
    this.#cut.clear();
  }

  /** How long links were down, in ms, the shortest first. */
  get gaps(): readonly number[] {
    return this.#gaps.toSorted((a, b) => a - b);
  }

  /** How many nodes have lost their link since {@linkcode Fleet.forget}, whether it is back or not. */
  get cut(): number {
    return this.#cut.size;
  }

  /** Whether all are linked. */
  get connected(): boolean {
    return this.nodes.every(({ connected }) => connected);
  }
}

/** All Nodes. */
export async function nodesOf(api: Api): Promise<Node[]> {
  return (await api.request("GET", "/api/v1/nodes")).items;
}

/** Where a Node says that its kubelet is. */
export function addressOf({ status }: Node): string {
  return status?.addresses?.[0]?.address ?? "";
}

/** When the Lease of each node was renewed last. */
export async function leasesOf(api: Api): Promise<Map<string, number>> {
  const path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
  const { items }: { items: Lease[] } = await api.request("GET", path);
  return new Map(items.map((one) => [one.metadata.name, fromTime(one.spec.renewTime) ?? 0]));
}

/** The pods of {@linkcode load}. */
export async function loadOf(api: Api): Promise<Pod[]> {
  return (await api.request("GET", "/api/v1/namespaces/default/pods?labelSelector=app%3Dload"))
    .items;
}

/** Their UIDs, sorted. */
export async function loadUids(api: Api): Promise<string[]> {
  return (await loadOf(api)).map(({ metadata }) => metadata.uid ?? "").sort();
}

/** How many of them are ready. */
export async function loadReady(api: Api): Promise<number> {
  return (await loadOf(api)).filter(isReady).length;
}

/** A Deployment of so many pods that run nothing. */
export function load(replicas: number): unknown {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "load" },
    spec: {
      replicas,
      selector: { matchLabels: { app: "load" } },
      template: {
        metadata: { labels: { app: "load" } },
        spec: {
          automountServiceAccountToken: false,
          containers: [{ name: "main", image: "none" }],
        },
      },
    },
  };
}
