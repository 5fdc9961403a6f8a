import { conditionOf } from "../../api/mod.ts";
import { ageOf } from "./age.ts";
import { AGE, column, count, type KindTable, labelText, listOf, NAME, text } from "./columns.ts";

const members = (value: unknown): number =>
  typeof value === "object" && value !== null ? Object.keys(value).length : 0;

/** Kinds without columns of their own. */
export const plainTable: KindTable = {
  columns: [NAME, AGE],
  cells: ({ metadata }, now) => [metadata.name, ageOf(metadata.creationTimestamp, now)],
};

/** `kubectl get namespaces`. */
export const namespaceTable: KindTable = {
  columns: [NAME, column("Status", "The status of the namespace."), AGE],
  cells: ({ metadata, status }, now) => [
    metadata.name,
    metadata.deletionTimestamp === undefined ? text(status?.phase, "Active") : "Terminating",
    ageOf(metadata.creationTimestamp, now),
  ],
};

/** `kubectl get configmaps`. */
export const configMapTable: KindTable = {
  columns: [NAME, column("Data", "Number of entries.", "integer"), AGE],
  cells: ({ metadata, data, binaryData }, now) => [
    metadata.name,
    members(data) + members(binaryData),
    ageOf(metadata.creationTimestamp, now),
  ],
};

/** `kubectl get secrets`. */
export const secretTable: KindTable = {
  columns: [
    NAME,
    column("Type", "Used to facilitate programmatic handling of secret data."),
    column("Data", "Number of entries.", "integer"),
    AGE,
  ],
  cells: ({ metadata, data, type }, now) => [
    metadata.name,
    text(type, "Opaque"),
    members(data),
    ageOf(metadata.creationTimestamp, now),
  ],
};

/** `kubectl get serviceaccounts`. */
export const serviceAccountTable: KindTable = {
  columns: [NAME, column("Secrets", "Number of secrets.", "integer"), AGE],
  cells: ({ metadata, secrets }, now) => [
    metadata.name,
    listOf(secrets).length,
    ageOf(metadata.creationTimestamp, now),
  ],
};

/** `kubectl get services`. */
export const serviceTable: KindTable = {
  columns: [
    NAME,
    column("Type", "Type determines how the Service is exposed."),
    column("Cluster-IP", "Address of the service inside the cluster."),
    column("External-IP", "Addresses for which nodes accept traffic for this service."),
    column("Port(s)", "The ports that are exposed by this service."),
    AGE,
    column("Selector", "Which pods receive its traffic.", "wide"),
  ],
  cells: ({ metadata, spec, status }, now) => {
    const balanced = listOf(status?.loadBalancer?.ingress).map((one) => one.ip || one.hostname);
    const external = Array.isArray(spec?.externalIPs) ? spec.externalIPs : [];
    const shown = spec?.type === "ExternalName" ? [spec.externalName] : [...balanced, ...external];
    const waiting = spec?.type === "LoadBalancer" ? "<pending>" : "<none>";
    return [
      metadata.name,
      text(spec?.type, "ClusterIP"),
      text(spec?.clusterIP, "<none>"),
      shown.filter(Boolean).join(",") || waiting,
      listOf(spec?.ports).map((one) => {
        const node = count(one.nodePort) > 0 ? `:${one.nodePort}` : "";
        return `${one.port}${node}/${text(one.protocol, "TCP")}`;
      }).join(",") || "<none>",
      ageOf(metadata.creationTimestamp, now),
      labelText(spec?.selector),
    ];
  },
};

const ROLE = "node-role.kubernetes.io/";

/** `kubectl get nodes`. */
export const nodeTable: KindTable = {
  columns: [
    NAME,
    column("Status", "The status of the node."),
    column("Roles", "The roles of the node."),
    AGE,
    column("Version", "Version that the node reports."),
    column("Internal-IP", "Address inside the cluster.", "wide"),
    column("External-IP", "Address outside the cluster.", "wide"),
    column("OS-Image", "OS image that the node reports.", "wide"),
    column("Kernel-Version", "Kernel version that the node reports.", "wide"),
    column("Container-Runtime", "Runtime that the node reports.", "wide"),
  ],
  cells: (node, now) => {
    const { metadata, spec, status } = node;
    const ready = conditionOf(node, "Ready");
    const word = ready?.status === "True" ? "Ready" : ready ? "NotReady" : "Unknown";
    const roles = Object.keys(metadata.labels ?? {}).filter((key) => key.startsWith(ROLE))
      .map((key) => key.slice(ROLE.length)).sort();
    const address = (type: string): string =>
      text(listOf(status?.addresses).find((one) => one.type === type)?.address, "<none>");
    const info = status?.nodeInfo ?? {};
    return [
      metadata.name,
      spec?.unschedulable === true ? `${word},SchedulingDisabled` : word,
      roles.join(",") || "<none>",
      ageOf(metadata.creationTimestamp, now),
      text(info.kubeletVersion, "<unknown>"),
      address("InternalIP"),
      address("ExternalIP"),
      text(info.osImage, "<unknown>"),
      text(info.kernelVersion, "<unknown>"),
      text(info.containerRuntimeVersion, "<unknown>"),
    ];
  },
};

/** `kubectl get events`. */
export const eventTable: KindTable = {
  columns: [
    column("Last Seen", "Time since the event was last observed."),
    column("Type", "Normal or Warning."),
    column("Reason", "A short, machine understandable word."),
    column("Object", "The object that the event is about."),
    column("Subobject", "The part of the object.", "wide"),
    column("Source", "Who reports the event.", "wide"),
    column("Message", "What happened."),
    column("First Seen", "Time since the event was first observed.", "wide"),
    column("Count", "How often it was seen.", "wide"),
    column("Name", "Name of the event.", "wide"),
  ],
  cells: (event, now) => {
    const { metadata, involvedObject, source } = event;
    const first = event["firstTimestamp"] ?? event["eventTime"] ?? metadata.creationTimestamp;
    const last = event["series"]?.lastObservedTime ?? event["lastTimestamp"] ?? first;
    return [
      ageOf(last, now),
      text(event["type"]),
      text(event["reason"]),
      `${String(involvedObject?.kind ?? "").toLowerCase()}/${text(involvedObject?.name)}`,
      text(involvedObject?.fieldPath),
      [source?.component ?? event["reportingComponent"], source?.host].filter(Boolean).join(", "),
      text(event["message"]).trim(),
      ageOf(first, now),
      String(event["series"]?.count ?? event["count"] ?? 1),
      metadata.name,
    ];
  },
};

/** `kubectl get leases`. */
export const leaseTable: KindTable = {
  columns: [NAME, column("Holder", "Who holds the lease."), AGE],
  cells: ({ metadata, spec }, now) => [
    metadata.name,
    text(spec?.holderIdentity),
    ageOf(metadata.creationTimestamp, now),
  ],
};

/** `kubectl get endpointslices`. */
export const endpointSliceTable: KindTable = {
  columns: [
    NAME,
    column("AddressType", "Family of the addresses."),
    column("Ports", "Ports of every endpoint."),
    column("Endpoints", "Addresses of the endpoints."),
    AGE,
  ],
  cells: ({ metadata, addressType, ports, endpoints }, now) => {
    const addresses = listOf(endpoints).flatMap((one) =>
      Array.isArray(one.addresses) ? one.addresses : []
    );
    const more = addresses.length > 3 ? ` + ${addresses.length - 3} more...` : "";
    return [
      metadata.name,
      text(addressType, "<unknown>"),
      listOf(ports).map((one) => one.port ?? one.name).join(",") || "<unset>",
      addresses.length === 0 ? "<unset>" : `${addresses.slice(0, 3).join(",")}${more}`,
      ageOf(metadata.creationTimestamp, now),
    ];
  },
};

/** `kubectl get priorityclasses`. */
export const priorityClassTable: KindTable = {
  columns: [
    NAME,
    column("Value", "Priority of the pods that have this class."),
    column("Global-Default", "Whether pods that name no class have this one."),
    AGE,
    column("PreemptionPolicy", "Whether such pods push others out."),
  ],
  cells: (object, now) => [
    object.metadata.name,
    String(object["value"] ?? 0),
    String(object["globalDefault"] === true),
    ageOf(object.metadata.creationTimestamp, now),
    text(object["preemptionPolicy"]),
  ],
};

/** `kubectl get runtimeclasses`. */
export const runtimeClassTable: KindTable = {
  columns: [NAME, column("Handler", "What the node's runtime calls it."), AGE],
  cells: (object, now) => [
    object.metadata.name,
    text(object["handler"]),
    ageOf(object.metadata.creationTimestamp, now),
  ],
};
