/** What `tools/compat.ts` says beside the table: groups, notes and examples. */

/** The head of the page. */
export const INTRO = `# What a node does with a pod

<!-- Written by tools/compat.ts from agent/pods/policy/support_table.ts: change it there. -->

A node runs a pod as a kubelet does, or says which field it cannot honour; it ignores none. A pod
that is refused stays Pending and nothing of it is started: its condition \`skerry.dev/Supported\` is
False with reason \`UnsupportedField\`, an Event of that reason is on it, and its containers wait with
that reason, each with one sentence that names every such field:

    {EXAMPLE}

The pod runs when the field goes or when the node allows it. What can only be found out while the pod
is started (a hostPath of another type, a profile that is not there, a missing key) shows as a
kubelet shows it: an Event \`FailedMount\`, \`FailedCreatePodSandBox\` or \`Failed\`, and a container that
waits with \`CreateContainerConfigError\` or \`CreateContainerError\`; it is tried again.`;

/** What is no field of a pod. */
export const BESIDE = `## Beside the fields

- Annotations go to the runtime as they are, as a kubelet does it: \`kubernetes.io/ingress-bandwidth\`
  and \`egress-bandwidth\` work where the CNI network has the bandwidth plugin, and are without effect
  elsewhere. \`container.apparmor.security.beta.kubernetes.io/NAME\` is read;
  \`seccomp.security.alpha.kubernetes.io\` is not, as in Kubernetes since 1.27.
- Services get an address and show in the environment of pods; nothing carries traffic to that
  address yet, no node port is given out, and there is no DNS of the cluster. Pods of one node reach
  each other by their addresses, and the outside by \`hostPort\`.
- The hub has Pods, Deployments, ReplicaSets, DaemonSets, ConfigMaps, Secrets, Services,
  EndpointSlices, ServiceAccounts, Namespaces, Nodes, Events, Leases, PriorityClasses, RuntimeClasses,
  WasmFunctions and KubeEdge's kinds (\`docs/decisions/036-kubeedge-crds.md\`). Pods that a StatefulSet, Job or CronJob of another cluster makes run as they
  are; the kinds themselves are not served.`;

/** One table of the page. */
export interface Group {
  readonly title: string;
  readonly text?: string;
  readonly fields: RegExp;
}

/** The tables in their order; a field is in the first that takes it. */
export const GROUPS: readonly Group[] = [
  {
    title: "Where a pod runs",
    text: "Read by the scheduler of the hub (or of the cluster) and by the node's own admission.",
    fields:
      /^(nodeName|nodeSelector|affinity|tolerations|topologySpreadConstraints|scheduler|scheduling|priority|preemption|overhead|os$|runtimeClassName|resource)/,
  },
  {
    title: "Names and network",
    fields:
      /^(dns|host(Aliases|Network|name)|subdomain|setHostname|shareProcess|hostPID|hostIPC|hostUsers)/,
  },
  { title: "Security of the pod", fields: /^securityContext/ },
  { title: "Volumes", fields: /^volumes/ },
  { title: "Environment of containers", fields: /^containers\[\]\.env/ },
  { title: "Mounts and devices of containers", fields: /^containers\[\]\.volume/ },
  { title: "Resources of containers", fields: /^containers\[\]\.(resources|resizePolicy)/ },
  { title: "Probes and hooks", fields: /^containers\[\]\.(.*Probe|lifecycle)/ },
  { title: "Security of containers", fields: /^containers\[\]\.securityContext/ },
  { title: "Containers, all else", fields: /^containers/ },
  {
    title: "Init containers and sidecars, where they differ",
    text: "A sidecar is an init container with `restartPolicy: Always`.",
    fields: /^initContainers/,
  },
  {
    title: "Ephemeral containers, where they differ",
    text: "`kubectl debug`. One that is refused says so itself; its pod runs on.",
    fields: /^ephemeralContainers/,
  },
  { title: "The pod, all else", fields: /./ },
];

/** What is said of a field beside its outcome. */
export const NOTES: Readonly<Record<string, string>> = {
  affinity: "a scheduler's; the hub's own reads node affinity, not that between pods",
  topologySpreadConstraints: "a scheduler's; the hub's own does not read it",
  preemptionPolicy: "a scheduler's; the hub's own pushes nobody out",
  runtimeClassName: "a class that is not there: Event `FailedCreatePodSandBox`, " +
    '`Failed to create pod sandbox: RuntimeClass "NAME" not found`',
  overhead: "counts for scheduling and admission",
  priorityClassName: "resolved to `priority` by the API; `system-node-critical` and " +
    "`system-cluster-critical` are there",
  dnsPolicy: "without a cluster resolver on the node `ClusterFirst` is `Default`",
  dnsConfig: "at most 3 servers and 32 search paths reach the pod; Event `DNSConfigForming` " +
    "names what was left out",
  setHostnameAsFQDN: "a name of more than 64 characters: Event `FailedCreatePodSandBox`",
  hostNetwork: "the pod has the node's addresses",
  enableServiceLinks: "Services of the namespace that have an address, as of the container's start",
  serviceAccountName: "a token is mounted where the hub serves a cluster",
  automountServiceAccountToken:
    "where the hub serves a cluster; else no token is mounted, whatever it says",
  os: "a pod of another system fails with the reason `PodOSNotSupported`",
  "securityContext.fsGroup":
    "group of the files of configMap, secret, downwardAPI, projected and " +
    "emptyDir volumes",
  "securityContext.fsGroupChangePolicy": "has no effect on these kinds of volumes",
  "securityContext.sysctls":
    "Kubernetes' safe list; others by `--allowed-unsafe-sysctls`; a pod that asks for more, for one " +
    "of the machine, or beside `hostNetwork` or `hostIPC`, fails with the reason `SysctlForbidden`",
  "securityContext.seccompProfile.localhostProfile":
    "below `--seccomp-profiles` (`/var/lib/kubelet/seccomp`)",
  "securityContext.appArmorProfile.type":
    "where the machine has no AppArmor: `CreateContainerError`, `apparmor is not supported`",
  "containers[].securityContext.appArmorProfile.type":
    "also by the annotation `container.apparmor.security.beta.kubernetes.io/NAME`",
  "containers[].securityContext.seccompProfile.localhostProfile":
    "below `--seccomp-profiles` (`/var/lib/kubelet/seccomp`)",
  "volumes[].emptyDir.sizeLimit":
    "a pod that goes beyond is evicted, with medium Memory too: all pods share one tmpfs, so a write beyond does not fail",
  "volumes[].hostPath.path": "a missing folder is made",
  "volumes[].hostPath.type": "looked at in `/var/log`, `/var/lib`, `/var/cache`, `/run`, `/opt`, " +
    "`/srv`, `/mnt`, `/media`, `/data`, `/dev`, `/sys`, `/boot`, `/lib/modules`, `/usr/src`, " +
    "`/usr/share`, `/etc/localtime`, `/etc/timezone`, `/etc/ssl`, `/etc/ca-certificates`, `/etc/pki`, " +
    "`/etc/cni`; elsewhere: Event `FailedMount`, `the agent may not look there to check type TYPE: " +
    "start the agent with --host-paths=PATH`",
  "volumes[].configMap": "changes show within 0.5 s of their arrival, all keys at once; " +
    "`subPath` mounts do not change",
  "volumes[].secret": "in memory only; changes as of a configMap",
  "containers[].env[].valueFrom.resourceFieldRef":
    "`limits.*` and `requests.*` of cpu, memory, ephemeral-storage, hugepages",
  "containers[].volumeMounts[].subPath": "on a hostPath outside the folders above: `--host-paths`",
  "containers[].resources.limits":
    "cpu as shares and quota, memory; ephemeral-storage by eviction; " +
    "devices (`vendor.com/name`) by device plugins; what is advertised by hand is counted only",
  "containers[].ports[].hostPort": "through the runtime's CNI plugin `portmap`",
};

/** A value that a rule refuses. */
export interface Sample {
  /** In words, e.g. `` `Memory` where there is no tmpfs ``. */
  readonly shown: string;
  readonly value: unknown;
}

const other = (value: unknown = "Other"): Sample[] => [{ shown: "for other values", value }];
const noTmpfs = (value: unknown): Sample[] => [{ shown: "where there is no tmpfs", value }];

/** What each rule that looks at the value refuses. */
export const SAMPLES: readonly (readonly [paths: RegExp, samples: readonly Sample[]])[] = [
  [/\.fieldRef$/, other({ fieldPath: "spec.x" })],
  [/resources\.(limits|requests)$/, [
    { shown: "for huge pages", value: { "hugepages-2Mi": "2Mi" } },
    { shown: "for unknown names, which the API takes no more", value: { wheels: "4" } },
  ]],
  [/capabilities\.(add|drop)$/, [{ shown: "for unknown names", value: ["CAP_CHOWN"] }]],
  [/recursiveReadOnly$/, [{
    shown: "`Enabled` where the runtime cannot (containerd before 2.0)",
    value: "Enabled",
  }]],
  [/mountPropagation$/, [{
    shown: "`Bidirectional` without `--allow-privileged`",
    value: "Bidirectional",
  }]],
  [/privileged$/, [{ shown: "`true` without `--allow-privileged`", value: true }]],
  [/procMount$/, [{ shown: "`Unmasked`", value: "Unmasked" }]],
  [/seLinuxOptions$/, [{ shown: "unless empty", value: { level: "s0" } }]],
  [/emptyDir\.medium$/, [
    { shown: "`Memory` where there is no tmpfs", value: "Memory" },
    { shown: "`HugePages`", value: "HugePages" },
  ]],
  [/sizeLimit$/, [{ shown: "for what is none", value: "x" }]],
  [/secret$/, noTmpfs({ secretName: "s" })],
  [/^hostUsers$/, [{ shown: "`false`", value: false }]],
  [/supplementalGroupsPolicy$/, [{
    shown: "`Strict` where the runtime cannot (containerd before 2.0)",
    value: "Strict",
  }]],
  [/./, other()],
];
