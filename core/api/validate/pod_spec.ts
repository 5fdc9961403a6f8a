import { isQuantity, parseQuantity } from "../quantity.ts";
import { isResourceName } from "../resource_name.ts";
import { duplicate, invalid, type Problems, required, wrongType } from "./field_error.ts";
import { envNameProblems, labelProblems, nameProblem } from "./names.ts";
import { nodeAffinityProblems } from "./node_affinity.ts";
import { ephemeralProblems } from "./ephemeral.ts";
import { lifecycleProblems } from "./lifecycle.ts";
import { containerMemberProblems, podMemberProblems, volumeMemberProblems } from "./pod_members.ts";
import { probeProblems } from "./probe.ts";
import { listAt, oneOf, PORT_NAME, portNumber, wholeNumber } from "./values.ts";

// deno-lint-ignore no-explicit-any -- what a client sent; every member is checked before use
type Any = any;

const PULL = ["Always", "IfNotPresent", "Never"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const RESTART = ["Always", "OnFailure", "Never"];
const DNS = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];

/** The problems of a pod's spec at `field` (`spec`, `spec.template.spec`). */
export function podSpecProblems(field: string, spec: Any): Problems {
  if (typeof spec !== "object" || spec === null) return [required(field)];
  const problems: Problems = [];
  const volumes = volumeNames(`${field}.volumes`, spec.volumes, problems);
  const names = new Set<string>();
  const containers = listAt(`${field}.containers`, spec.containers, problems);
  if (containers.length === 0) problems.push(required(`${field}.containers`));
  const grace = spec.terminationGracePeriodSeconds;
  for (const list of ["initContainers", "containers"]) {
    listAt(`${field}.${list}`, spec[list], []).forEach((container: Any, index: number) => {
      const at = `${field}.${list}[${index}]`;
      problems.push(...containerProblems(at, container, names, volumes));
      const probed = list === "containers" || container?.restartPolicy === "Always";
      problems.push(...probeProblems(at, container, { probed }));
      const hooks = { hooked: probed, grace };
      problems.push(...lifecycleProblems(`${at}.lifecycle`, container?.lifecycle, hooks));
      if (list === "initContainers") {
        oneOf(`${at}.restartPolicy`, container?.restartPolicy, ["Always"], problems);
      }
    });
  }
  const targets = new Set(containers.map((one: Any) => one?.name));
  listAt(`${field}.ephemeralContainers`, spec.ephemeralContainers, problems).forEach(
    (container: Any, index: number) => {
      const at = `${field}.ephemeralContainers[${index}]`;
      problems.push(...containerProblems(at, container, names, volumes));
      problems.push(...ephemeralProblems(at, container, targets));
    },
  );
  problems.push(...podMemberProblems(field, spec));
  oneOf(`${field}.restartPolicy`, spec.restartPolicy, RESTART, problems);
  oneOf(`${field}.dnsPolicy`, spec.dnsPolicy, DNS, problems);
  problems.push(...labelProblems(`${field}.nodeSelector`, spec.nodeSelector));
  wholeNumber(
    `${field}.terminationGracePeriodSeconds`,
    spec.terminationGracePeriodSeconds,
    problems,
  );
  wholeNumber(`${field}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, problems, 1);
  for (const [member, form] of [["nodeName", "subdomain"], ["hostname", "label"]] as const) {
    const problem = spec[member]
      ? nameProblem(`${field}.${member}`, spec[member], form)
      : undefined;
    if (problem) problems.push(problem);
  }
  tolerationProblems(`${field}.tolerations`, spec.tolerations, problems);
  problems.push(
    ...nodeAffinityProblems(`${field}.affinity.nodeAffinity`, spec.affinity?.nodeAffinity),
  );
  return problems;
}

function volumeNames(field: string, value: Any, problems: Problems): Set<string> {
  const names = new Set<string>();
  listAt(field, value, problems).forEach((volume: Any, index) => {
    const at = `${field}[${index}]`;
    if (!volume?.name) return problems.push(required(`${at}.name`));
    const problem = nameProblem(`${at}.name`, volume.name, "label");
    if (problem) problems.push(problem);
    if (names.has(volume.name)) problems.push(duplicate(`${at}.name`, volume.name));
    names.add(volume.name);
    const sources = Object.keys(volume).filter((key) => key !== "name" && volume[key] !== null);
    if (sources.length === 0) problems.push(required(at, "must specify a volume type"));
    problems.push(...volumeMemberProblems(at, volume));
    if (sources.length > 1) {
      problems.push({
        field: `${at}.${sources[1]}`,
        message: "Forbidden: may not specify more than 1 volume type",
        reason: "FieldValueForbidden",
      });
    }
    return undefined;
  });
  return names;
}

function containerProblems(
  field: string,
  container: Any,
  names: Set<string>,
  volumes: ReadonlySet<string>,
): Problems {
  if (typeof container !== "object" || container === null) {
    return [wrongType(field, container, "object")];
  }
  const problems: Problems = [];
  if (!container.name) problems.push(required(`${field}.name`));
  else {
    const problem = nameProblem(`${field}.name`, container.name, "label");
    if (problem) problems.push(problem);
    if (names.has(container.name)) problems.push(duplicate(`${field}.name`, container.name));
    names.add(container.name);
  }
  imageProblems(`${field}.image`, container.image, problems);
  oneOf(`${field}.imagePullPolicy`, container.imagePullPolicy, PULL, problems);
  envProblems(`${field}.env`, container.env, problems);
  portProblems(`${field}.ports`, container.ports, problems);
  resourceProblems(`${field}.resources`, container.resources, problems);
  mountProblems(`${field}.volumeMounts`, container.volumeMounts, volumes, problems);
  problems.push(...containerMemberProblems(field, container));
  for (const list of ["command", "args"]) {
    const bad = listAt(`${field}.${list}`, container[list], problems)
      .findIndex((item) => typeof item !== "string");
    if (bad >= 0) {
      problems.push(wrongType(`${field}.${list}[${bad}]`, container[list][bad], "string"));
    }
  }
  return problems;
}

function imageProblems(field: string, image: Any, problems: Problems): void {
  if (image === undefined || image === null || image === "") problems.push(required(field));
  else if (typeof image !== "string") problems.push(wrongType(field, image, "string"));
  else if (image.trim() !== image) {
    problems.push(invalid(field, image, "must not have leading or trailing whitespace"));
  }
}

function envProblems(field: string, env: Any, problems: Problems): void {
  listAt(field, env, problems).forEach((one: Any, index) => {
    const at = `${field}[${index}]`;
    if (!one?.name) return problems.push(required(`${at}.name`));
    problems.push(...envNameProblems(`${at}.name`, one.name));
    if (one.value !== undefined && one.value !== null && typeof one.value !== "string") {
      problems.push(wrongType(`${at}.value`, one.value, "string"));
    }
    if (one.value && one.valueFrom) {
      problems.push(invalid(
        `${at}.valueFrom`,
        "",
        "may not be specified when `value` is not empty",
      ));
    }
    return undefined;
  });
}

function portProblems(field: string, ports: Any, problems: Problems): void {
  const names = new Set<string>();
  listAt(field, ports, problems).forEach((port: Any, index) => {
    const at = `${field}[${index}]`;
    if (port?.containerPort === undefined) problems.push(required(`${at}.containerPort`));
    else portNumber(`${at}.containerPort`, port.containerPort, problems);
    if (port?.hostPort) portNumber(`${at}.hostPort`, port.hostPort, problems);
    oneOf(`${at}.protocol`, port?.protocol, PROTOCOLS, problems);
    if (!port?.name) return;
    if (!PORT_NAME.test(port.name)) {
      problems.push(invalid(
        `${at}.name`,
        port.name,
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-), at least one " +
          "letter, and be no more than 15 characters",
      ));
    }
    if (names.has(port.name)) problems.push(duplicate(`${at}.name`, port.name));
    names.add(port.name);
  });
}

function resourceProblems(field: string, resources: Any, problems: Problems): void {
  for (const part of ["limits", "requests"]) {
    for (const [name, value] of Object.entries(resources?.[part] ?? {})) {
      const at = `${field}.${part}[${name}]`;
      if (!isResourceName(name)) {
        problems.push(invalid(at, name, "must be a standard resource type or fully qualified"));
        continue;
      }
      if (!isQuantity(value)) {
        problems.push(invalid(at, value, "must be a quantity such as 100m, 64Mi or 2"));
        continue;
      }
      const amount = parseQuantity(value as string);
      if (amount < 0n) problems.push(invalid(at, value, "must be greater than or equal to 0"));
      const limit = resources.limits?.[name];
      if (part === "requests" && isQuantity(limit) && amount > parseQuantity(limit)) {
        const why = `must be less than or equal to ${name} limit of ${limit}`;
        problems.push(invalid(`${field}.requests`, value, why));
      }
    }
  }
}

function mountProblems(
  field: string,
  mounts: Any,
  volumes: ReadonlySet<string>,
  problems: Problems,
): void {
  const paths = new Set<string>();
  listAt(field, mounts, problems).forEach((mount: Any, index) => {
    const at = `${field}[${index}]`;
    if (!mount?.name) problems.push(required(`${at}.name`));
    else if (!volumes.has(mount.name)) {
      problems.push({
        field: `${at}.name`,
        message: `Not found: ${JSON.stringify(mount.name)}`,
        reason: "FieldValueNotFound",
      });
    }
    if (!mount?.mountPath) problems.push(required(`${at}.mountPath`));
    else if (paths.has(mount.mountPath)) {
      problems.push(invalid(`${at}.mountPath`, mount.mountPath, "must be unique"));
    }
    paths.add(mount?.mountPath);
    if (typeof mount?.subPath === "string" && /^\/|(^|\/)\.\.(\/|$)/.test(mount.subPath)) {
      problems.push(invalid(
        `${at}.subPath`,
        mount.subPath,
        "must be a relative path without '..'",
      ));
    }
  });
}

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

function tolerationProblems(field: string, tolerations: Any, problems: Problems): void {
  listAt(field, tolerations, problems).forEach((one: Any, index) => {
    const at = `${field}[${index}]`;
    oneOf(`${at}.operator`, one?.operator || undefined, ["Equal", "Exists"], problems);
    oneOf(`${at}.effect`, one?.effect || undefined, EFFECTS, problems);
    if (!one?.key && one?.operator !== "Exists") {
      problems.push(invalid(
        `${at}.operator`,
        one?.operator ?? "",
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ));
    }
  });
}
