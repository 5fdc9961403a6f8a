import {
  type EndpointSlice,
  matchLabelSelector,
  type Pod,
  RESOURCES,
  type Service,
} from "../../core/api/mod.ts";
import type { Service as Runnable } from "../../core/base/mod.ts";
import { createController, keyOf, trigger } from "../../core/control/mod.ts";
import { allocate, parseRange } from "./cluster_ip.ts";
import type { PlaneContext } from "./context.ts";
import { planEndpoints, SERVICE_NAME } from "./endpoints.ts";
import { createRecorder } from "./events.ts";

/** Keeps EndpointSlices, and gives Services their cluster addresses. */
export function createServiceControllers(
  context: PlaneContext & { readonly serviceRange: string },
): Runnable[] {
  const services = context.views.of<Service>(RESOURCES.services);
  const pods = context.views.of<Pod>(RESOURCES.pods);
  const slices = context.views.of<EndpointSlice>(RESOURCES.endpointslices);
  const selects = (service: Service, pod: Pod): boolean =>
    matchLabelSelector({ matchLabels: service.spec?.selector ?? {} }, pod.metadata.labels);
  const endpoints = createController({
    ...context,
    name: "endpointslice-controller",
    triggers: [
      trigger(services, (service) => [keyOf(service)]),
      trigger(pods, (pod) =>
        services.by("namespace", pod.metadata.namespace ?? "")
          .filter((service) => selects(service, pod)).map(keyOf)),
      trigger(slices, ({ metadata: { namespace = "", labels } }) => {
        const name = labels?.[SERVICE_NAME];
        return name === undefined ? [] : [`${namespace}/${name}`];
      }),
    ],
    reconcile: async (key) => {
      const service = services.get(key);
      // The slices of a Service that is gone go with it, by their owner reference.
      if (!service) return;
      const { namespace = "", name } = service.metadata;
      const plan = planEndpoints(
        service,
        pods.by("namespace", namespace).filter((pod) => selects(service, pod)),
        slices.by("namespace", namespace)
          .filter(({ metadata }) => metadata.labels?.[SERVICE_NAME] === name),
      );
      await context.actor.run(plan.actions);
    },
  });
  return [endpoints, createAddressController(context)];
}

/** One worker, so that no two Services get one address. */
function createAddressController(
  context: PlaneContext & { readonly serviceRange: string },
): Runnable {
  const range = parseRange(context.serviceRange);
  const services = context.views.of<Service>(RESOURCES.services);
  const recorder = createRecorder({ ...context, component: "service-controller" });
  return createController({
    ...context,
    name: "service-addresses",
    workers: 1,
    triggers: [trigger(services, (service) => needsAddress(service) ? [keyOf(service)] : [])],
    reconcile: async (key) => {
      const service = services.get(key);
      if (!service || !needsAddress(service)) return;
      const taken = new Set(services.all().map(({ spec }) => spec?.clusterIP ?? ""));
      const address = allocate(range, { key, taken });
      if (address === undefined) {
        const message = `no address of ${context.serviceRange} is free: delete services`;
        await recorder.record(service, { type: "Warning", reason: "NoAddress", message });
        return;
      }
      const object: Service = {
        ...service,
        spec: {
          ...service.spec,
          clusterIP: address,
          clusterIPs: [address],
          ipFamilies: ["IPv4"],
          ipFamilyPolicy: "SingleStack",
        },
      };
      await context.actor.run([{ do: "update", resource: RESOURCES.services, object }]);
    },
  });
}

function needsAddress({ spec, metadata }: Service): boolean {
  return !spec?.clusterIP && spec?.type !== "ExternalName" &&
    metadata.deletionTimestamp === undefined;
}
