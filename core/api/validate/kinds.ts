import { isQuantity } from "../quantity.ts";
import { jsonEqual } from "../patch/mod.ts";
import type { KubeObject } from "../object.ts";
import {
  duplicate,
  forbiddenField,
  invalid,
  notSupported,
  type Problems,
  required,
  tooLong,
  wrongType,
} from "./field_error.ts";
import { configKeyProblems, labelProblems } from "./names.ts";
import { listAt, portNumber } from "./values.ts";

/** Bytes of all values of a ConfigMap or Secret; Kubernetes' own cap. */
const DATA_BYTES = 1024 * 1024;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The problems of a ConfigMap or Secret. */
export function configProblems(object: KubeObject, old?: KubeObject): Problems {
  const problems: Problems = [];
  const secret = object.kind === "Secret";
  let size = 0;
  for (const field of ["data", secret ? "stringData" : "binaryData"]) {
    for (const [key, value] of Object.entries(object[field] ?? {})) {
      problems.push(...configKeyProblems(`${field}[${key}]`, key));
      const encoded = field === "binaryData" || (secret && field === "data");
      if (typeof value !== "string") problems.push(wrongType(`${field}[${key}]`, value, "string"));
      else if (encoded && !BASE64.test(value.replace(/[\r\n]/g, ""))) {
        problems.push(invalid(`${field}[${key}]`, "<value omitted>", "must be base64"));
      } else size += value.length;
    }
  }
  if (size > DATA_BYTES * (secret ? 4 / 3 : 1)) problems.push(tooLong("data", DATA_BYTES));
  if (old?.["immutable"] !== true) return problems;
  for (const field of ["data", "binaryData", "immutable"]) {
    if (!jsonEqual(old[field], object[field])) {
      problems.push(forbiddenField(field, "field is immutable when `immutable` is set"));
    }
  }
  return problems;
}

/** The problem of a Secret whose `type` changes. */
export function secretProblems(object: KubeObject, old?: KubeObject): Problems {
  const problems = configProblems(object, old);
  if (old && old["type"] !== object["type"]) {
    problems.push(invalid("type", object["type"], "field is immutable"));
  }
  if (object["type"] === "kubernetes.io/tls") {
    for (const key of ["tls.crt", "tls.key"]) {
      if (object["data"]?.[key] === undefined) problems.push(required(`data[${key}]`));
    }
  }
  return problems;
}

const SERVICE_TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];

/** The problems of a Service. */
export function serviceProblems(object: KubeObject, old?: KubeObject): Problems {
  const spec = object["spec"];
  if (typeof spec !== "object" || spec === null) return [required("spec")];
  const problems = labelProblems("spec.selector", spec.selector);
  const type = spec.type ?? "ClusterIP";
  if (!SERVICE_TYPES.includes(type)) {
    problems.push(notSupported("spec.type", type, SERVICE_TYPES));
  }
  const ports = listAt("spec.ports", spec.ports, problems);
  if (ports.length === 0 && type !== "ExternalName" && spec.clusterIP !== "None") {
    problems.push(required("spec.ports"));
  }
  if (type === "ExternalName" && !spec.externalName) problems.push(required("spec.externalName"));
  const names = new Set<unknown>();
  ports.forEach((port, index) => {
    const at = `spec.ports[${index}]`;
    if (port?.port === undefined) problems.push(required(`${at}.port`));
    else portNumber(`${at}.port`, port.port, problems);
    if (ports.length > 1 && !port?.name) problems.push(required(`${at}.name`));
    if (port?.name && names.has(port.name)) problems.push(duplicate(`${at}.name`, port.name));
    names.add(port?.name);
    if (port?.protocol !== undefined && !PROTOCOLS.includes(port.protocol)) {
      problems.push(notSupported(`${at}.protocol`, port.protocol, PROTOCOLS));
    }
  });
  const before = old?.["spec"]?.clusterIP;
  if (before && type !== "ExternalName" && spec.clusterIP && spec.clusterIP !== before) {
    problems.push(invalid("spec.clusterIP", spec.clusterIP, "field is immutable"));
  }
  return problems;
}

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/** The problems of a Node. */
export function nodeProblems(object: KubeObject): Problems {
  const problems: Problems = [];
  listAt("spec.taints", object["spec"]?.taints, problems).forEach((taint, index) => {
    const at = `spec.taints[${index}]`;
    if (!taint?.key) problems.push(required(`${at}.key`));
    if (!EFFECTS.includes(taint?.effect)) {
      problems.push(notSupported(`${at}.effect`, taint?.effect, EFFECTS));
    }
  });
  for (const part of ["capacity", "allocatable"]) {
    for (const [name, value] of Object.entries(object["status"]?.[part] ?? {})) {
      if (!isQuantity(value)) {
        problems.push(invalid(`status.${part}[${name}]`, value, "must be a quantity"));
      }
    }
  }
  return problems;
}

const MICRO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/;

/** The problems of a Lease. */
export function leaseProblems(object: KubeObject): Problems {
  const spec = object["spec"] ?? {};
  const problems: Problems = [];
  for (const field of ["acquireTime", "renewTime"]) {
    const value = spec[field];
    if (value !== undefined && value !== null && !MICRO_TIME.test(value)) {
      const why = "must be a time with six decimals, e.g. 2026-01-01T00:00:00.000000Z";
      problems.push(invalid(`spec.${field}`, value, why));
    }
  }
  const seconds = spec.leaseDurationSeconds;
  if (seconds !== undefined && seconds !== null && !(Number.isInteger(seconds) && seconds > 0)) {
    problems.push(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
  }
  return problems;
}

/** The problems of an Event. */
export function eventProblems(object: KubeObject): Problems {
  const involved = object["involvedObject"];
  if (typeof involved !== "object" || involved === null) return [required("involvedObject")];
  // A cluster-scoped object's events live in `default`, as in Kubernetes.
  const wanted = involved.namespace || "default";
  if (object.metadata.namespace === wanted || object.metadata.namespace === "kube-system") {
    return [];
  }
  return [
    invalid("involvedObject.namespace", involved.namespace ?? "", "does not match event.namespace"),
  ];
}
