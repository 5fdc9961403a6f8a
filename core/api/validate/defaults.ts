import type { KubeObject, ResourceDef } from "../object.ts";

// deno-lint-ignore no-explicit-any -- what a client sent; nothing is assumed of its members
type Any = any;

/**
 * Fills in Kubernetes' own defaults where clients rely on them, in place. Patches and
 * `kubectl apply` compare with the stored object, so the values are those of a real API server.
 * `old` is the state before, for an update.
 */
export function setDefaults(resource: ResourceDef, object: KubeObject, old?: KubeObject): void {
  const spec: Any = object["spec"];
  switch (`${resource.group}/${resource.kind}`) {
    case "/Pod":
      // Admission gave them to the pod; a client that replaces it need not know them.
      for (const key of ["priority", "preemptionPolicy"]) set(spec, key, old?.["spec"]?.[key]);
      return podDefaults(spec, isMap(object.metadata) && !!object.metadata.deletionTimestamp);
    case "/Service":
      return serviceDefaults(spec);
    case "/Secret":
      return secretDefaults(object);
    case "/Namespace":
      object.metadata.labels = {
        ...object.metadata.labels,
        "kubernetes.io/metadata.name": object.metadata.name,
      };
      // Holds the namespace until the plane has emptied it; only a new one gets it.
      if (object.metadata.uid === undefined) {
        set(object["spec"] ??= {}, "finalizers", ["kubernetes"]);
      }
      return;
    case "scheduling.k8s.io/PriorityClass":
      return set(object, "preemptionPolicy", "PreemptLowerPriority");
    case "apps/Deployment":
      return deploymentDefaults(spec, object);
    case "apps/ReplicaSet":
      set(spec, "replicas", 1);
      return workloadDefaults(spec, object);
    case "apps/DaemonSet":
      return daemonSetDefaults(spec, object);
  }
}

function isMap(value: Any): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Kubernetes takes an empty word for none given. */
function set(map: Any, key: string, value: unknown): void {
  const none = isMap(map) && [undefined, null, ""].includes(map[key]);
  if (none && value !== undefined) map[key] = value;
}

/** Zero is no count: Kubernetes takes it for none given. */
function setCount(map: Any, key: string, value: number): void {
  if (isMap(map) && !map[key]) map[key] = value;
}

function each(list: Any, fn: (item: Any) => void): void {
  if (Array.isArray(list)) list.filter(isMap).forEach(fn);
}

function podDefaults(spec: Any, leaving = false): void {
  if (!isMap(spec) || leaving) return;
  set(spec, "restartPolicy", "Always");
  set(spec, "terminationGracePeriodSeconds", 30);
  set(spec, "dnsPolicy", "ClusterFirst");
  set(spec, "schedulerName", "default-scheduler");
  set(spec, "securityContext", {});
  set(spec, "enableServiceLinks", true);
  each(spec.containers, containerDefaults);
  each(spec.initContainers, containerDefaults);
  each(spec.ephemeralContainers, containerDefaults);
  each(spec.volumes, volumeDefaults);
}

function containerDefaults(container: Any): void {
  set(container, "resources", {});
  set(container, "terminationMessagePath", "/dev/termination-log");
  set(container, "terminationMessagePolicy", "File");
  set(container, "imagePullPolicy", pullPolicy(container.image));
  each(container.ports, (port) => set(port, "protocol", "TCP"));
  each(container.env, (one) => set(one.valueFrom?.fieldRef, "apiVersion", "v1"));
  // A limit without a request is also the request.
  for (const [name, limit] of Object.entries(container.resources?.limits ?? {})) {
    container.resources.requests ??= {};
    set(container.resources.requests, name, limit);
  }
  for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    setCount(container[probe], "timeoutSeconds", 1);
    setCount(container[probe], "periodSeconds", 10);
    setCount(container[probe], "successThreshold", 1);
    setCount(container[probe], "failureThreshold", 3);
    httpDefaults(container[probe]?.httpGet);
  }
  for (const hook of ["postStart", "preStop"]) httpDefaults(container.lifecycle?.[hook]?.httpGet);
}

/** Defaults of what a probe or a hook asks over HTTP. */
function httpDefaults(action: Any): void {
  set(action, "path", "/");
  set(action, "scheme", "HTTP");
}

/** `Always` for `latest` or no tag, else `IfNotPresent`; a digest fixes the image. */
function pullPolicy(image: Any): string {
  if (typeof image !== "string" || image.includes("@")) return "IfNotPresent";
  const tag = /:([^:/]+)$/.exec(image)?.[1];
  return tag === undefined || tag === "latest" ? "Always" : "IfNotPresent";
}

function volumeDefaults(volume: Any): void {
  const sources = Object.keys(volume).filter((key) => key !== "name");
  if (sources.length === 0) volume.emptyDir = {};
  set(volume.configMap, "defaultMode", 0o644);
  set(volume.secret, "defaultMode", 0o644);
  set(volume.projected, "defaultMode", 0o644);
  set(volume.downwardAPI, "defaultMode", 0o644);
  set(volume.hostPath, "type", "");
}

function serviceDefaults(spec: Any): void {
  if (!isMap(spec)) return;
  set(spec, "type", "ClusterIP");
  set(spec, "sessionAffinity", "None");
  if (spec.type !== "ExternalName") set(spec, "internalTrafficPolicy", "Cluster");
  each(spec.ports, (port) => {
    set(port, "protocol", "TCP");
    set(port, "targetPort", port.port);
  });
}

function secretDefaults(secret: Any): void {
  set(secret, "type", "Opaque");
  if (!isMap(secret.stringData)) return;
  secret.data = isMap(secret.data) ? secret.data : {};
  for (const [key, value] of Object.entries(secret.stringData)) {
    if (typeof value !== "string") return;
    secret.data[key] = new TextEncoder().encode(value).toBase64();
  }
  delete secret.stringData;
}

function workloadDefaults(spec: Any, object: KubeObject): void {
  if (!isMap(spec)) return;
  if (isMap(spec.template)) {
    set(spec.template, "metadata", {});
    podDefaults(spec.template.spec);
  }
  const labels = spec.template?.metadata?.labels;
  if (isMap(labels)) set(object.metadata, "labels", { ...labels });
}

function deploymentDefaults(spec: Any, object: KubeObject): void {
  set(spec, "replicas", 1);
  set(spec, "revisionHistoryLimit", 10);
  set(spec, "progressDeadlineSeconds", 600);
  set(spec, "strategy", {});
  set(spec?.strategy, "type", "RollingUpdate");
  if (spec?.strategy?.type === "RollingUpdate") {
    set(spec.strategy, "rollingUpdate", {});
    set(spec.strategy.rollingUpdate, "maxSurge", "25%");
    set(spec.strategy.rollingUpdate, "maxUnavailable", "25%");
  }
  workloadDefaults(spec, object);
}

function daemonSetDefaults(spec: Any, object: KubeObject): void {
  set(spec, "revisionHistoryLimit", 10);
  set(spec, "updateStrategy", {});
  set(spec?.updateStrategy, "type", "RollingUpdate");
  if (spec?.updateStrategy?.type === "RollingUpdate") {
    set(spec.updateStrategy, "rollingUpdate", {});
    set(spec.updateStrategy.rollingUpdate, "maxSurge", 0);
    set(spec.updateStrategy.rollingUpdate, "maxUnavailable", 1);
  }
  workloadDefaults(spec, object);
}
