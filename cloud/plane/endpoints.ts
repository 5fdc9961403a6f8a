import {
  type Container,
  type Endpoint,
  type EndpointSlice,
  type Pod,
  RESOURCES,
  type Service,
  type ServicePort,
} from "../../core/api/mod.ts";
import { type Action, controllerRef, jsonEqual } from "../../core/control/mod.ts";
import { hashOf } from "./hash.ts";
import { isReady, isTerminated } from "./pods.ts";
import type { Plan } from "./replicaset.ts";

/** The label that names the Service of a slice. */
export const SERVICE_NAME = "kubernetes.io/service-name";
/** The label and value that say who keeps a slice. Slices of others are left alone. */
export const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
const MANAGER = "endpointslice-controller.k8s.io";
/** Endpoints in one slice at most; Kubernetes' own limit is 1000. */
const SLICE_SIZE = 500;

type SlicePort = EndpointSlice["ports"][number];

/**
 * The EndpointSlices of a Service. Pure. `pods` are those of its namespace that its selector
 * selects, `slices` all that carry its name. A Service without selector is somebody else's.
 */
export function planEndpoints(
  service: Service,
  pods: readonly Pod[],
  slices: readonly EndpointSlice[],
): Plan {
  const ours = slices.filter(({ metadata }) => metadata.labels?.[MANAGED_BY] === MANAGER);
  const wanted = isServed(service) ? slicesOf(service, pods) : [];
  const actions: Action[] = [];
  const resource = RESOURCES.endpointslices;
  for (const want of wanted) {
    const have = ours.find(({ metadata }) => metadata.name === want.metadata.name);
    if (!have) actions.push({ do: "create", resource, object: want });
    else if (isOther(have, want)) {
      const metadata = { ...have.metadata, labels: want.metadata.labels ?? {} };
      const object = { ...have, metadata, endpoints: want.endpoints, ports: want.ports };
      actions.push({ do: "update", resource, object });
    }
  }
  for (const object of ours) {
    if (wanted.some(({ metadata }) => metadata.name === object.metadata.name)) continue;
    if (object.metadata.deletionTimestamp === undefined) {
      actions.push({ do: "delete", resource, object });
    }
  }
  return { actions };
}

function isOther(have: EndpointSlice, want: EndpointSlice): boolean {
  return !jsonEqual(have.endpoints, want.endpoints) || !jsonEqual(have.ports, want.ports) ||
    !jsonEqual(have.metadata.labels, want.metadata.labels);
}

/** Whether the plane looks after a Service's endpoints. */
export function isServed(service: Service): boolean {
  return service.metadata.deletionTimestamp === undefined &&
    service.spec?.type !== "ExternalName" &&
    Object.keys(service.spec?.selector ?? {}).length > 0;
}

/** Pods whose named ports have other numbers stand in other slices. */
function slicesOf(service: Service, pods: readonly Pod[]): EndpointSlice[] {
  const groups = new Map<string, { ports: SlicePort[]; endpoints: Endpoint[] }>();
  for (const pod of [...pods].sort((a, b) => a.metadata.name < b.metadata.name ? -1 : 1)) {
    const endpoint = endpointOf(service, pod);
    if (!endpoint) continue;
    const ports = (service.spec?.ports ?? []).flatMap((port) => slicePort(port, pod));
    const key = hashOf(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    group.endpoints.push(endpoint);
    groups.set(key, group);
  }
  // A Service without pods still has a slice: it says "nobody" and not "not yet looked".
  if (groups.size === 0) groups.set(hashOf([]), { ports: [], endpoints: [] });
  const slices: EndpointSlice[] = [];
  for (const [key, { ports, endpoints }] of groups) {
    for (let at = 0; at === 0 || at < endpoints.length; at += SLICE_SIZE) {
      const part = endpoints.slice(at, at + SLICE_SIZE);
      slices.push(
        sliceOf(service, { suffix: `${key}-${at / SLICE_SIZE}`, ports, endpoints: part }),
      );
    }
  }
  return slices;
}

function sliceOf(
  service: Service,
  part: { suffix: string; ports: SlicePort[]; endpoints: Endpoint[] },
): EndpointSlice {
  const { name, namespace = "" } = service.metadata;
  const headless = service.spec?.clusterIP === "None";
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `${name}-${part.suffix}`,
      namespace,
      labels: {
        ...service.metadata.labels,
        [SERVICE_NAME]: name,
        [MANAGED_BY]: MANAGER,
        ...(headless ? { "service.kubernetes.io/headless": "" } : {}),
      },
      ownerReferences: [controllerRef(service)],
    },
    addressType: "IPv4",
    endpoints: part.endpoints,
    ports: part.ports,
  };
}

function endpointOf(service: Service, pod: Pod): Endpoint | undefined {
  const address = pod.status?.podIP;
  // The embedded plane speaks IPv4 to pods; an IPv6 address would need a slice of its own type.
  if (!address || address.includes(":") || isTerminated(pod)) return undefined;
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const serving = isReady(pod);
  const { namespace = "", name, uid = "" } = pod.metadata;
  return {
    addresses: [address],
    conditions: {
      ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating),
      serving,
      terminating,
    },
    ...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    ...(pod.spec.hostname && pod.spec.subdomain === service.metadata.name
      ? { hostname: pod.spec.hostname }
      : {}),
    targetRef: { kind: "Pod", namespace, name, uid },
  };
}

/** The port of a Service as it is on one pod; none when the pod has no port of that name. */
function slicePort(port: ServicePort, pod: Pod): SlicePort[] {
  const { targetPort = port.port, protocol = "TCP" } = port;
  const number = typeof targetPort === "number"
    ? targetPort
    : findPort(pod.spec.containers, { name: targetPort, protocol });
  if (number === undefined) return [];
  const { appProtocol } = port;
  return [{
    name: port.name ?? "",
    port: number,
    protocol,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }];
}

function findPort(
  containers: readonly Container[],
  wanted: { name: string; protocol: string },
): number | undefined {
  for (const { ports = [] } of containers) {
    const found = ports.find(({ name, protocol = "TCP" }) =>
      name === wanted.name && protocol === wanted.protocol
    );
    if (found) return found.containerPort;
  }
  return undefined;
}
