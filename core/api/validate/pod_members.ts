import {
  duplicate,
  forbiddenField,
  invalid,
  type Problems,
  required,
  tooLong,
} from "./field_error.ts";
import { envNameProblems, nameProblem } from "./names.ts";
import { listAt } from "./values.ts";

// deno-lint-ignore no-explicit-any -- what a client sent; every member is checked before use
type Any = any;

const ID_MAX = 2 ** 31 - 1;
const MODE_MAX = 0o777;
/** What the kernel takes as a host name. */
const HOSTNAME_MAX = 64;
const SYSCTL = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const IP = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$/;

/** Problems of members that stand by themselves and would be ignored or fail oddly on a node. */
export function podMemberProblems(field: string, spec: Any): Problems {
  const problems: Problems = [];
  aliasProblems(`${field}.hostAliases`, spec.hostAliases, problems);
  if (spec.dnsPolicy === "None" && !(spec.dnsConfig?.nameservers?.length > 0)) {
    const why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
    problems.push(required(`${field}.dnsConfig.nameservers`, why));
  }
  if (spec.shareProcessNamespace && spec.hostPID) {
    const why = "ShareProcessNamespace and HostPID cannot both be enabled";
    problems.push(invalid(`${field}.shareProcessNamespace`, true, why));
  }
  hostnameProblems(`${field}.hostnameOverride`, spec, problems);
  securityProblems(`${field}.securityContext`, spec.securityContext, problems);
  hostPortProblems(field, spec, problems);
  return problems;
}

function hostnameProblems(field: string, spec: Any, problems: Problems): void {
  const { hostnameOverride: name } = spec;
  if (name === undefined || name === null) return;
  const problem = nameProblem(field, name, "subdomain");
  if (problem) problems.push(problem);
  if (typeof name === "string" && name.length > HOSTNAME_MAX) {
    problems.push(tooLong(field, HOSTNAME_MAX));
  }
  for (const other of ["setHostnameAsFQDN", "hostNetwork"]) {
    if (spec[other] !== true) continue;
    problems.push(forbiddenField(field, `may not be specified when ${other} is true`));
  }
}

/** The same of one container. */
export function containerMemberProblems(field: string, container: Any): Problems {
  const problems: Problems = [];
  const context = container.securityContext;
  securityProblems(`${field}.securityContext`, context, problems);
  if (context?.privileged === true && context.allowPrivilegeEscalation === false) {
    const why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
    problems.push(invalid(`${field}.securityContext`, "", why));
  }
  listAt(`${field}.env`, container.env, []).forEach((one: Any, index) => {
    if (one?.valueFrom) sourceProblems(`${field}.env[${index}].valueFrom`, one.valueFrom, problems);
  });
  listAt(`${field}.envFrom`, container.envFrom, []).forEach((one: Any, index) => {
    const at = `${field}.envFrom[${index}]`;
    oneSource(at, one, ["configMapRef", "secretRef"], problems);
    if (one?.prefix) problems.push(...envNameProblems(`${at}.prefix`, one.prefix));
    for (const ref of ["configMapRef", "secretRef"]) {
      if (one?.[ref] && !one[ref].name) problems.push(required(`${at}.${ref}.name`));
    }
  });
  listAt(`${field}.volumeMounts`, container.volumeMounts, []).forEach((one: Any, index) => {
    const at = `${field}.volumeMounts[${index}]`;
    if (typeof one?.mountPath === "string" && one.mountPath.includes(":")) {
      problems.push(invalid(`${at}.mountPath`, one.mountPath, "must not contain ':'"));
    }
    if (one?.subPath && one.subPathExpr) {
      const why = "subPathExpr and subPath are mutually exclusive";
      problems.push(invalid(`${at}.subPathExpr`, one.subPathExpr, why));
    }
  });
  return problems;
}

/** The same of one volume. */
export function volumeMemberProblems(field: string, volume: Any): Problems {
  const problems: Problems = [];
  const { hostPath, configMap, secret, projected, downwardAPI } = volume;
  if (hostPath && !hostPath.path) problems.push(required(`${field}.hostPath.path`));
  if (configMap && !configMap.name) problems.push(required(`${field}.configMap.name`));
  if (secret && !secret.secretName) problems.push(required(`${field}.secret.secretName`));
  for (const [name, source] of Object.entries({ configMap, secret, projected, downwardAPI })) {
    if (!source) continue;
    const at = `${field}.${name}`;
    modeProblem(`${at}.defaultMode`, source.defaultMode, problems);
    itemProblems(`${at}.items`, source.items, problems);
    listAt(`${at}.sources`, source.sources, []).forEach((one: Any, index) => {
      for (const part of ["configMap", "secret", "downwardAPI"]) {
        itemProblems(`${at}.sources[${index}].${part}.items`, one?.[part]?.items, problems);
      }
    });
  }
  return problems;
}

function itemProblems(field: string, items: Any, problems: Problems): void {
  listAt(field, items, []).forEach((item: Any, index) => {
    const at = `${field}[${index}]`;
    modeProblem(`${at}.mode`, item?.mode, problems);
    if (!item?.path) return problems.push(required(`${at}.path`));
    if (/^\/|(^|\/)\.\.(\/|$)/.test(item.path)) {
      problems.push(invalid(`${at}.path`, item.path, "must be a relative path without '..'"));
    }
    return undefined;
  });
}

function modeProblem(field: string, mode: Any, problems: Problems): void {
  if (mode === undefined || (mode >= 0 && mode <= MODE_MAX)) return;
  const why = "must be a number between 0 and 0777 (octal), both inclusive";
  problems.push(invalid(field, mode, why));
}

const SOURCES = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"];

function sourceProblems(field: string, from: Any, problems: Problems): void {
  oneSource(field, from, SOURCES, problems);
  for (const ref of ["configMapKeyRef", "secretKeyRef"]) {
    for (const member of ["name", "key"]) {
      if (from[ref] && !from[ref][member]) problems.push(required(`${field}.${ref}.${member}`));
    }
  }
}

function oneSource(
  field: string,
  value: Any,
  sources: readonly string[],
  problems: Problems,
): void {
  const given = sources.filter((name) => value?.[name]);
  if (given.length === 1) return;
  const why = given.length === 0
    ? `must specify one of: ${sources.map((name) => `\`${name}\``).join(", ")}`
    : "may not have more than one field specified at a time";
  problems.push(invalid(field, "", why));
}

function aliasProblems(field: string, aliases: Any, problems: Problems): void {
  listAt(field, aliases, problems).forEach((one: Any, index) => {
    const at = `${field}[${index}]`;
    if (typeof one?.ip !== "string" || !IP.test(one.ip)) {
      problems.push(invalid(`${at}.ip`, one?.ip, "must be a valid IP address"));
    }
    listAt(`${at}.hostnames`, one?.hostnames, problems).forEach((name, nth) => {
      const problem = nameProblem(`${at}.hostnames[${nth}]`, name, "subdomain");
      if (problem) problems.push(problem);
    });
  });
}

function securityProblems(field: string, context: Any, problems: Problems): void {
  for (const member of ["runAsUser", "runAsGroup", "fsGroup"]) {
    idProblem(`${field}.${member}`, context?.[member], problems);
  }
  listAt(`${field}.supplementalGroups`, context?.supplementalGroups, problems)
    .forEach((id, index) => idProblem(`${field}.supplementalGroups[${index}]`, id, problems));
  listAt(`${field}.sysctls`, context?.sysctls, problems).forEach((one: Any, index) => {
    if (typeof one?.name === "string" && SYSCTL.test(one.name)) return;
    const why = "must have at most 253 characters and match regex " + SYSCTL.source;
    problems.push(invalid(`${field}.sysctls[${index}].name`, one?.name, why));
  });
}

function idProblem(field: string, id: Any, problems: Problems): void {
  if (id === undefined || (id >= 0 && id <= ID_MAX)) return;
  problems.push(invalid(field, id, `must be between 0 and ${ID_MAX}, inclusive`));
}

function hostPortProblems(field: string, spec: Any, problems: Problems): void {
  const seen = new Set<string>();
  for (const list of ["initContainers", "containers"]) {
    listAt(field, spec[list], []).forEach((container: Any, index) => {
      // Init containers come and go before the others: theirs do not meet those.
      if (list === "initContainers" && container?.restartPolicy !== "Always") return;
      listAt(field, container?.ports, []).forEach((port: Any, nth) => {
        if (!port?.hostPort) return;
        const at = `${field}.${list}[${index}].ports[${nth}]`;
        if (spec.hostNetwork && port.hostPort !== port.containerPort) {
          const why = "must match `hostPort` when `hostNetwork` is true";
          problems.push(invalid(`${at}.containerPort`, port.containerPort, why));
        }
        const key = `${port.protocol ?? "TCP"}/${port.hostIP ?? ""}/${port.hostPort}`;
        if (seen.has(key)) problems.push(duplicate(`${at}.hostPort`, key));
        seen.add(key);
      });
    });
  }
}
