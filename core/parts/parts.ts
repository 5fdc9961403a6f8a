import {
  CERTIFICATE_HOST,
  CIDR_V4,
  FUNCTION_HOST,
  HOST_PATH,
  HUB_ADDRESS,
  LABEL,
  LISTEN_ADDRESS,
  NODE_ADDRESS,
  NODE_NAME,
  REACHED_HOST,
  SERVICE_CIDR,
} from "./forms.ts";
import type { OptionsOf } from "./options.ts";

/** Where the parts keep their state when nothing else is said: below the working directory. */
export const STATE_ROOT = ".skerry";

const PORTS = [1, 65535] as const;
/** A day at most: timers do not reach past some 24 of them, and nobody waits so long. */
const SECONDS = [0, 86_400] as const;
const LOG_LEVEL = {
  help: "debug, info, warn or error",
  value: "LEVEL",
  fallback: "info",
  words: ["debug", "info", "warn", "error"],
} as const;
const CRI_SOCKET = "/run/containerd/containerd.sock";

/** Options of the hub, `deno task hub`. */
export const HUB_OPTIONS = {
  "state-dir": {
    help: "folder of the hub's store",
    value: "DIR",
    path: true,
    fallback: `${STATE_ROOT}/hub`,
  },
  "kubeconfig": {
    help:
      "serve this Kubernetes cluster, in place of an API of its own: a kubeconfig, or in-cluster",
    value: "FILE",
    path: true,
    fallback: "",
  },
  "impersonation": {
    help: "how this hub is its nodes at that cluster: constrained, or legacy for Kubernetes " +
      "before 1.36 (default: by its version)",
    value: "MODE",
    fallback: "",
    words: ["constrained", "legacy"],
  },
  "applications": {
    help:
      "on, or off to leave EdgeApplications of that cluster alone: acting on them takes rights " +
      "to all that they may hold",
    value: "on|off",
    fallback: "on",
    words: ["on", "off"],
  },
  "kubelet-address": {
    help: "address or name of this hub at which the cluster's API server calls kubelets",
    value: "HOST",
    fallback: "127.0.0.1",
    form: REACHED_HOST,
  },
  "peer-address": {
    help: "address at which other hubs of the cluster reach this one (default: kubelet-address)",
    value: "HOST",
    fallback: "",
    form: REACHED_HOST,
  },
  "webhook-port": {
    help: "port at which the cluster's API server asks about new pods (TLS)",
    value: "PORT",
    fallback: 9443,
    range: PORTS,
  },
  "peer-cidr": {
    help: "range of addresses of the cluster's other hubs; without it this one asks none of them",
    value: "CIDR",
    fallback: "",
    form: CIDR_V4,
  },
  "drain-seconds": {
    help: "seconds over which nodes are sent to other hubs when this one stops",
    value: "SECONDS",
    fallback: 0,
    range: SECONDS,
  },
  "node-address": {
    help: "address that nodes connect to",
    value: "IP",
    fallback: "0.0.0.0",
    form: LISTEN_ADDRESS,
  },
  "node-port": {
    help: "port that nodes connect to (mTLS)",
    value: "PORT",
    fallback: 10000,
    range: PORTS,
  },
  "api-address": {
    help: "address of the Kubernetes API",
    value: "IP",
    fallback: "127.0.0.1",
    form: LISTEN_ADDRESS,
  },
  "api-port": { help: "port of the Kubernetes API", value: "PORT", fallback: 6443, range: PORTS },
  "kubelet-port": {
    help: "port of the kubelet door (mTLS); on a cluster the first of a port for each node",
    value: "PORT",
    fallback: 10250,
    range: PORTS,
  },
  "metrics-address": {
    help: "address of metrics and health",
    value: "IP",
    fallback: "127.0.0.1",
    form: LISTEN_ADDRESS,
  },
  "metrics-port": {
    help: "port of metrics and health",
    value: "PORT",
    fallback: 9091,
    range: PORTS,
  },
  "advertise": {
    help: "name or address that nodes and clients use for this hub; may be repeated",
    value: "HOST",
    fallback: [] as readonly string[],
    form: CERTIFICATE_HOST,
  },
  "service-cidr": {
    help: "range of Service addresses",
    value: "CIDR",
    fallback: "10.96.0.0/16",
    form: SERVICE_CIDR,
  },
  "log-level": LOG_LEVEL,
  "print-config": { help: "print the options in effect and exit", fallback: false },
} as const;

/** Options of the agent, `deno task agent`. */
export const AGENT_OPTIONS = {
  "state-dir": {
    help: "folder of the node's store, keys and volumes",
    value: "DIR",
    path: true,
    fallback: `${STATE_ROOT}/agent`,
  },
  "hub": {
    help: "the hub to join; without it the node runs alone",
    value: "HOST:PORT",
    fallback: "",
    form: HUB_ADDRESS,
  },
  "token": { help: "join token, needed once", value: "TOKEN", fallback: "" },
  "token-file": { help: "file that holds the join token", value: "FILE", path: true, fallback: "" },
  "name": {
    help: "node name (default: the host name)",
    value: "NAME",
    fallback: "",
    form: NODE_NAME,
  },
  "node-ip": {
    help: "address of this node (default: found)",
    value: "IP",
    fallback: "",
    form: NODE_ADDRESS,
  },
  "labels": {
    help: "label of the node when it registers; may be repeated",
    value: "KEY=VALUE",
    fallback: [] as readonly string[],
    form: LABEL,
  },
  "register-with-taints": {
    help: "taint of the node when it registers; may be repeated",
    value: "KEY[=VALUE]:EFFECT",
    fallback: [] as readonly string[],
  },
  "cri-socket": {
    help: "socket of the container runtime; 'none' for functions only",
    value: "PATH",
    path: true,
    fallback: CRI_SOCKET,
  },
  "runner-socket": {
    help: "control socket of the runner",
    value: "PATH",
    path: true,
    fallback: `${STATE_ROOT}/runner/control.sock`,
  },
  "manifests": {
    help: "folder of static pods and functions",
    value: "DIR",
    path: true,
    fallback: `${STATE_ROOT}/manifests`,
  },
  "function-files": {
    help: "folder that functions with a file source may name",
    value: "DIR",
    path: true,
    fallback: `${STATE_ROOT}/functions`,
  },
  "pod-logs": {
    help: "folder of container logs",
    value: "DIR",
    path: true,
    fallback: "/var/log/pods",
  },
  "container-log-max-size": {
    help: "a container's log is rotated when it is this large; negative for never",
    value: "QUANTITY",
    fallback: "10Mi",
  },
  "container-log-max-files": {
    help: "files kept of one container's log, at least 2",
    value: "COUNT",
    fallback: 5,
    range: [2, Number.MAX_SAFE_INTEGER],
  },
  "eviction-hard": {
    help: "pods are evicted when less than this is left, as the kubelet's option of that name",
    value: "SIGNAL<AMOUNT,...",
    fallback: "memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%," +
      "imagefs.available<15%,imagefs.inodesFree<5%",
  },
  "eviction-minimum-reclaim": {
    help: "so much more must be left before an eviction was enough",
    value: "SIGNAL=AMOUNT,...",
    fallback: "",
  },
  "memory-dir": {
    help: "folder on a tmpfs, for secrets and memory volumes of pods",
    value: "DIR",
    path: true,
    fallback: "/run/skerry/volumes",
  },
  "host-paths": {
    help: "more of the host that hostPath volumes may have created or checked; may be repeated",
    value: "PATH",
    fallback: [] as readonly string[],
    form: HOST_PATH,
  },
  "device-plugins": {
    help: "folder in which device plugins register; 'none' for no device plugins",
    value: "DIR",
    path: true,
    fallback: "/var/lib/kubelet/device-plugins",
  },
  "pod-cidr": {
    help: "range of pod addresses on this node",
    value: "CIDR",
    fallback: "10.42.0.0/16",
    form: CIDR_V4,
  },
  "api-port": {
    help: "port of the local Kubernetes API",
    value: "PORT",
    fallback: 10550,
    range: PORTS,
  },
  "metrics-port": {
    help: "port of metrics and health on 127.0.0.1",
    value: "PORT",
    fallback: 10350,
    range: PORTS,
  },
  "function-hosts": {
    help: "host that modules may be fetched from; may be repeated",
    value: "HOST[:PORT]",
    fallback: [] as readonly string[],
    form: FUNCTION_HOST,
  },
  "shutdown-grace-period": {
    help: "seconds that pods get when the machine goes down (SIGPWR); 0 leaves them to it",
    value: "SECONDS",
    fallback: 30,
    range: SECONDS,
  },
  "shutdown-grace-period-critical-pods": {
    help: "how many of these seconds are kept for critical pods, which end last",
    value: "SECONDS",
    fallback: 10,
    range: SECONDS,
    atMost: "shutdown-grace-period",
  },
  "stop-pods": { help: "stop all pods when the agent stops", fallback: false },
  "allowed-unsafe-sysctls": {
    help: "kernel setting, or PREFIX*, that pods may have beyond the safe ones; may be repeated",
    value: "NAME",
    fallback: [] as readonly string[],
  },
  "seccomp-profiles": {
    help: "folder of the seccomp profiles that pods may name",
    value: "DIR",
    path: true,
    fallback: "/var/lib/kubelet/seccomp",
  },
  "allow-privileged": { help: "let pods run privileged containers", fallback: false },
  "log-level": LOG_LEVEL,
  "print-config": { help: "print the options in effect and exit", fallback: false },
} as const;

/** Options of the runner, `deno task runner`. */
export const RUNNER_OPTIONS = {
  "state-dir": {
    help: "folder of compiled modules",
    value: "DIR",
    path: true,
    fallback: `${STATE_ROOT}/runner`,
  },
  "control-socket": {
    help: "socket that the agent controls this runner by",
    value: "PATH",
    path: true,
    fallback: `${STATE_ROOT}/runner/control.sock`,
  },
  "gateway-address": {
    help: "address of the function gateway",
    value: "IP",
    fallback: "127.0.0.1",
    form: LISTEN_ADDRESS,
  },
  "gateway-port": {
    help: "port of the function gateway",
    value: "PORT",
    fallback: 8080,
    range: PORTS,
  },
  "libwasmtime": {
    help: "path of libwasmtime.so (default: the one that set-up fetched)",
    value: "FILE",
    path: true,
    fallback: "",
  },
  "log-level": LOG_LEVEL,
  "print-config": { help: "print the options in effect and exit", fallback: false },
} as const;

/** The hub's options as read. */
export type HubOptions = OptionsOf<typeof HUB_OPTIONS>;
/** The agent's options as read. */
export type AgentOptions = OptionsOf<typeof AGENT_OPTIONS>;
/** The runner's options as read. */
export type RunnerOptions = OptionsOf<typeof RUNNER_OPTIONS>;
