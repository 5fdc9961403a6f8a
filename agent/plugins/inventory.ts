import { minutes, type Ms } from "../../core/base/mod.ts";
import type { ExtendedResources } from "../node/mod.ts";

/** How long the devices of a plugin that has gone still count as capacity, as with a kubelet. */
const GONE_GRACE = minutes(5);

interface Listed {
  readonly healthy: ReadonlySet<string>;
  readonly unhealthy: ReadonlySet<string>;
  /** When the plugin went; its devices cannot be had since. */
  readonly goneAt?: Ms;
}

/** The devices of this node by resource, as their plugins last listed them. */
export class Inventory {
  readonly #listed = new Map<string, Listed>();

  /** A plugin has listed all of its devices. */
  list(
    resource: string,
    devices: Iterable<{ readonly id: string; readonly healthy: boolean }>,
  ): void {
    const healthy = new Set<string>();
    const unhealthy = new Set<string>();
    for (const { id, healthy: well } of devices) (well ? healthy : unhealthy).add(id);
    this.#listed.set(resource, { healthy, unhealthy });
  }

  /** The plugin of a resource has gone. */
  leave(resource: string, now: Ms): void {
    const listed = this.#listed.get(resource);
    if (listed && listed.goneAt === undefined) {
      this.#listed.set(resource, { ...listed, goneAt: now });
    }
  }

  /** Whether a plugin has ever listed devices of this resource. */
  has(resource: string): boolean {
    return this.#listed.has(resource);
  }

  /** The devices that can be given away; `undefined` while no plugin for the resource is there. */
  healthy(resource: string): ReadonlySet<string> | undefined {
    const listed = this.#listed.get(resource);
    return listed?.goneAt === undefined ? listed?.healthy : undefined;
  }

  /** What the Node says of them: what is sick or whose plugin has gone is capacity only. */
  resources(now: Ms): ExtendedResources {
    const capacity: Record<string, number> = {};
    const allocatable: Record<string, number> = {};
    for (const [resource, { healthy, unhealthy, goneAt }] of this.#listed) {
      const left = goneAt !== undefined && now >= goneAt + GONE_GRACE;
      capacity[resource] = left ? 0 : healthy.size + unhealthy.size;
      allocatable[resource] = goneAt === undefined ? healthy.size : 0;
    }
    return { capacity, allocatable };
  }
}
