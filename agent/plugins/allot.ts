import type { Pod } from "../../core/api/mod.ts";
import { AppError } from "../../core/base/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import type { DeviceGrant } from "../pods/mod.ts";
import { choiceOf, choose, podWants } from "./choose.ts";
import type { Inventory } from "./inventory.ts";
import type { Plugin } from "./plugin.ts";
import { type Allotment, type DeviceRow, usedDevices } from "./rows.ts";

/** What devices are given away from. */
export interface Stock {
  readonly store: LocalStore;
  readonly inventory: Inventory;
  readonly plugins: ReadonlyMap<string, Plugin>;
  /** The resources of which devices are given; containers may ask for others, and get none. */
  readonly needed: ReadonlySet<string>;
}

/**
 * Chooses devices for every container of a pod and asks their plugins what the containers need.
 * Nothing is remembered here: the caller writes the row, and lets nobody else choose before that.
 *
 * @throws {AppError} when there are too few devices or a plugin refuses
 */
export async function allot(pod: Pod, stock: Stock, signal: AbortSignal): Promise<DeviceRow> {
  const lent = new Map<string, Set<string>>();
  const given = new Map<string, Set<string>>();
  const containers: Record<string, Allotment> = {};
  for (const { container, wants, lends } of podWants(pod)) {
    const devices: Allotment["devices"][number][] = [];
    const grants: DeviceGrant[] = [];
    for (const [resource, count] of wants) {
      if (!stock.needed.has(resource)) continue;
      const plugin = stock.plugins.get(resource);
      if (!plugin) throw new AppError("Conflict", `the device plugin of ${resource} has gone`);
      const pool = entry(lent, resource);
      const choice = choiceOf(resource, {
        count,
        healthy: stock.inventory.healthy(resource) ?? new Set(),
        used: usedDevices(stock.store, resource).union(entry(given, resource)),
        lent: pool,
      });
      const ids = choose(choice, await plugin.prefer(choice, signal));
      grants.push(await plugin.allocate(ids, signal));
      devices.push({ resource, ids, preStart: plugin.preStart });
      for (const id of ids) {
        entry(given, resource).add(id);
        if (lends) pool.add(id);
        else pool.delete(id);
      }
    }
    containers[container] = { devices, grant: mergeGrants(grants) };
  }
  return { version: 1, containers };
}

/** What several plugins give to one container, without what two of them put at the same place. */
export function mergeGrants(grants: readonly DeviceGrant[]): DeviceGrant {
  const byPath = <T extends { readonly containerPath: string }>(all: readonly T[]): T[] => [
    ...new Map(all.map((one) => [one.containerPath, one])).values(),
  ];
  return {
    env: Object.assign({}, ...grants.map(({ env }) => env)),
    mounts: byPath(grants.flatMap(({ mounts }) => mounts)),
    devices: byPath(grants.flatMap(({ devices }) => devices)),
    annotations: Object.assign({}, ...grants.map(({ annotations }) => annotations)),
    cdiDevices: [...new Set(grants.flatMap(({ cdiDevices }) => cdiDevices))],
  };
}

function entry(map: Map<string, Set<string>>, key: string): Set<string> {
  const found = map.get(key);
  if (found) return found;
  const made = new Set<string>();
  map.set(key, made);
  return made;
}
