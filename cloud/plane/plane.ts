import {
  type Clock,
  type Logger,
  type Random,
  type Service,
  untilAborted,
} from "../../core/base/mod.ts";
import { Actor, type Views } from "../../core/control/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import type { PlaneContext } from "./context.ts";
import { createDaemonSetController } from "./daemonset_controller.ts";
import { createDeploymentController } from "./deployment_controller.ts";
import { createEventSweep } from "./events.ts";
import { createGarbageCollector } from "./gc.ts";
import {
  createNamespaceController,
  createServiceAccountController,
  ensureNamespaces,
} from "./namespaces.ts";
import { ensurePriorityClasses, PodAdmission } from "./pod_admission.ts";
import { createPodGarbageCollector } from "./pod_gc.ts";
import { createReplicaSetController } from "./replicaset_controller.ts";
import { createScheduler } from "./scheduler.ts";
import { createServiceControllers } from "./service_controller.ts";

/** Options of {@linkcode createPlane}. */
export interface PlaneOptions {
  readonly store: Store;
  /** Whoever makes them runs them, before these services. */
  readonly views: Views;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Where Services get their addresses from. @default {"10.96.0.0/16"} */
  readonly serviceRange?: string;
  /** Makes controllers that run beside the plane's own, on the same views. @default {none} */
  readonly beside?: (context: PlaneContext) => readonly Service[];
}

/**
 * The services of the embedded control plane, in the order to start them.
 * @throws {RangeError} when `serviceRange` cannot be used
 */
export function createPlane(options: PlaneOptions): Service[] {
  const { serviceRange = "10.96.0.0/16", views } = options;
  const store = new PodAdmission(options.store);
  const context: PlaneContext = { ...options, store, actor: new Actor(store, views) };
  const controllers = [
    createNamespaceController(context),
    createServiceAccountController(context),
    createScheduler(context),
    createDeploymentController(context),
    createReplicaSetController(context),
    createDaemonSetController(context),
    ...createServiceControllers({ ...context, serviceRange }),
    createPodGarbageCollector(context),
    createGarbageCollector(context),
    ...options.beside?.(context) ?? [],
  ];
  return [
    defaultObjects(store),
    ...controllers,
    createEventSweep(options),
  ];
}

/** Makes the namespaces and classes that every cluster has, then has nothing to do. */
function defaultObjects(store: Store): Service {
  return {
    name: "default-objects",
    onFailure: "restart",
    async run(signal, ready) {
      await ensureNamespaces(store);
      await ensurePriorityClasses(store);
      ready();
      await untilAborted(signal);
    },
  };
}
