import {
  type Node,
  RESOURCES,
  settleWasmStatus,
  type WasmFunction,
  wasmFunctionPlacement,
  wasmStatusNodes,
} from "../../core/api/mod.ts";
import {
  type Clock,
  isAppError,
  type Logger,
  type Random,
  type Service,
} from "../../core/base/mod.ts";
import { createController, jsonEqual, keyOf, trigger, type Views } from "../../core/control/mod.ts";
import { findObject, type Store } from "../../core/store/mod.ts";

/** Options of {@linkcode createFunctions}. */
export interface FunctionsOptions {
  readonly store: Store;
  /** Whoever makes them runs them, before this service. */
  readonly views: Views;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * The service that keeps the status of functions true. A node reports
 * how a function stands on it, and cannot report that it is gone or not meant any more: what such
 * nodes said is dropped here, and the nodes that should serve are counted.
 */
export function createFunctions(options: FunctionsOptions): Service {
  const { store, views, clock, log } = options;
  const functions = views.of<WasmFunction>(RESOURCES.wasmfunctions);
  const nodes = views.of<Node>(RESOURCES.nodes);
  const changed = labelChanges();
  const controller = createController({
    ...options,
    name: "function-status",
    triggers: [
      trigger(functions, (fn) => [keyOf(fn)]),
      trigger(nodes, (node, gone) => changed(node, gone) ? functions.all().map(keyOf) : []),
    ],
    reconcile: async (key) => {
      const fn = functions.get(key);
      if (!fn) return;
      const concerns = wasmFunctionPlacement(fn);
      const wanted = new Set(
        nodes.all().filter((node) => concerns(placeOf(node))).map(({ metadata }) => metadata.name),
      );
      const drop = new Set<string>();
      for (const name of wasmStatusNodes(fn)) {
        if (wanted.has(name)) continue;
        // The view may be behind a node that has just registered: the store itself says.
        const ref = { resource: RESOURCES.nodes, name };
        const node = await findObject(store, ref) as Node | undefined;
        if (node && concerns(placeOf(node))) wanted.add(name);
        else drop.add(name);
      }
      const settle = (current: WasmFunction): WasmFunction => ({
        ...current,
        status: settleWasmStatus(current, { drop, desiredNodes: wanted.size }, {
          now: clock.now(),
        }),
      });
      if (jsonEqual(settle(fn).status, fn.status)) return;
      if (drop.size > 0) log.info("nodes taken out of a function", { key, nodes: [...drop] });
      await write(fn, settle);
    },
  });
  return controller;

  async function write(
    fn: WasmFunction,
    settle: (current: WasmFunction) => WasmFunction,
  ): Promise<void> {
    const { namespace = "default", name, uid = "" } = fn.metadata;
    try {
      const done = await store.update(
        { resource: RESOURCES.wasmfunctions, namespace, name },
        (current) => settle(current as WasmFunction),
        { subresource: "status", preconditions: { uid } },
      );
      functions.wrote(done as WasmFunction);
    } catch (error) {
      if (!isAppError(error, "NotFound")) throw error;
    }
  }
}

function placeOf({ metadata }: Node) {
  return { name: metadata.name, labels: metadata.labels ?? {} };
}

/** Tells the changes of nodes that matter to a placement from the many others, as heartbeats. */
function labelChanges(): (node: Node, gone: boolean) => boolean {
  const known = new Map<string, string>();
  return ({ metadata }, gone) => {
    if (gone) return known.delete(metadata.name);
    const labels = JSON.stringify(metadata.labels ?? {});
    if (known.get(metadata.name) === labels) return false;
    known.set(metadata.name, labels);
    return true;
  };
}
