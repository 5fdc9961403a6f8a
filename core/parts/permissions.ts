import { AppError, bracketed, hostAndPort, ownAddress } from "../base/mod.ts";
import { CDI_FOLDERS, DEVICE_SLOTS, deviceSlot, KUBELET_SOCKET } from "./device_sockets.ts";
import { CRI_HOST, RUNNER_HOST } from "./socket_hosts.ts";
import type { AgentOptions, HubOptions, RunnerOptions } from "./parts.ts";

/** The kinds of permission that depend on a part's options. The rest stands in `deno.json`. */
export interface Permissions {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly net: readonly string[];
}

/** Files that tell what machine this is. */
const MACHINE_FILES = [
  "/etc/machine-id",
  "/etc/os-release",
];

/** A lock that hostPath volumes of network plugins share with the host; made where it is missing. */
const XTABLES_LOCK = "/run/xtables.lock";

/**
 * Where hostPath volumes of ordinary manifests point. The agent looks there when a volume has a
 * `type` or a mount has a `subPath`; it reads no content. Deno refuses `/dev` and `/sys` whatever is
 * granted: they are looked at below `HOST_VIEW`, where set-up or the unit has bound them.
 */
const HOST_PATHS = [
  ...["/var/log", "/var/lib", "/var/run", "/var/cache", "/run", "/opt", "/srv", "/mnt", "/media"],
  ...["/data", "/lib/modules", "/usr/lib/modules", "/usr/src", "/usr/share", "/boot"],
  ...["/etc/localtime", "/etc/timezone", "/etc/ssl", "/etc/ca-certificates", "/etc/pki"],
  ...["/etc/cni", XTABLES_LOCK],
];

/**
 * Where the host's `/dev` and `/sys`, and two files of `/proc`, can be looked at; see
 * {@linkcode agentPermissions}.
 */
export const HOST_VIEW = "/run/skerry/host";

/** What a hub needs to reach the API server of its cluster. */
export interface ClusterAccess {
  /** `host:port`. */
  readonly host: string;
  /** The kubeconfig and what it names, or a service account's files. */
  readonly files: readonly string[];
}

/** What the hub may touch: its state folder, its listeners, and the cluster that it serves. */
export function hubPermissions(options: HubOptions, cluster?: ClusterAccess): Permissions {
  const state = [options["state-dir"]];
  if (cluster) {
    return {
      read: [...state, ...cluster.files],
      write: state,
      net: [
        cluster.host,
        ...nodeListener(options),
        // A port for each node.
        bracketed(options["api-address"]),
        ...(options["peer-cidr"] === "" ? [] : [options["peer-cidr"]]),
        hostAndPort(options["metrics-address"], options["metrics-port"]),
      ],
    };
  }
  return {
    read: state,
    write: state,
    net: [
      ...nodeListener(options),
      hostAndPort(options["api-address"], options["api-port"]),
      hostAndPort(options["api-address"], options["kubelet-port"]),
      hostAndPort(options["metrics-address"], options["metrics-port"]),
    ],
  };
}

/** The hub tests at its start that its node port refuses a client without a certificate. */
function nodeListener(options: HubOptions): string[] {
  const { "node-address": address, "node-port": port } = options;
  return [hostAndPort(address, port), hostAndPort(ownAddress(address), port)];
}

/**
 * What the agent may touch: its state folder, the log folder of pods, its tmpfs, the CRI and runner
 * sockets, its manifests, where hostPath volumes point, the folder of device plugins, the hub, the
 * hosts that modules come from and the pods of this node.
 */
export function agentPermissions(options: AgentOptions): Permissions {
  const sockets = [
    ...(options["cri-socket"] === "none" ? [] : [options["cri-socket"]]),
    options["runner-socket"],
  ];
  const plugins = options["device-plugins"] === "none" ? [] : [options["device-plugins"]];
  return {
    read: [
      options["state-dir"],
      options["pod-logs"],
      options["memory-dir"],
      ...sockets,
      options.manifests,
      options["function-files"],
      ...(options["token-file"] === "" ? [] : [options["token-file"]]),
      ...MACHINE_FILES,
      "/etc/resolv.conf",
      "/etc/hosts",
      ...HOST_PATHS,
      ...options["host-paths"],
      ...plugins,
      ...(plugins.length > 0 ? CDI_FOLDERS : []),
    ],
    write: [
      options["state-dir"],
      options["pod-logs"],
      options["memory-dir"],
      ...sockets,
      XTABLES_LOCK,
      ...options["host-paths"],
      ...plugins,
    ],
    net: [
      ...(options.hub === "" ? [] : [options.hub]),
      `127.0.0.1:${options["api-port"]}`,
      ...podsApiAddresses(options),
      `127.0.0.1:${options["metrics-port"]}`,
      ...sockets.map((path) => `unix:${path}`),
      ...plugins.flatMap((folder) => [
        `unix:${folder}/${KUBELET_SOCKET}`,
        ...DEVICE_SLOTS.map((slot) => `unix:${deviceSlot(folder, slot)}`),
      ]),
      `${CRI_HOST}:80`,
      `${RUNNER_HOST}:80`,
      ...options["function-hosts"],
      // The runtime's streaming server (exec, attach, port-forward) and the pods themselves.
      "127.0.0.1",
      options["pod-cidr"],
      // Where pods in the host's network are asked how they are.
      ...(options["node-ip"] === "" ? [] : [bracketed(options["node-ip"])]),
    ],
  };
}

/**
 * Where the local API listens for pods: those of a node with a hub and a container runtime. To
 * connect there is to connect to this machine.
 */
function podsApiAddresses(options: AgentOptions): string[] {
  if (options.hub === "" || options["cri-socket"] === "none") return [];
  return ["0.0.0.0", "[::]"].map((host) => `${host}:${options["api-port"]}`);
}

/** What the runner may touch: its cache, the engine's library, the control socket, the gateway. */
export function runnerPermissions(options: RunnerOptions, library: string): Permissions {
  const socket = options["control-socket"];
  return {
    read: [options["state-dir"], socket, library],
    write: [options["state-dir"], socket],
    net: [`unix:${socket}`, hostAndPort(options["gateway-address"], options["gateway-port"])],
  };
}

/**
 * The command-line flags that grant `permissions`, in place of those kinds of the named set.
 *
 * @throws {AppError} BadRequest for a path or host with a comma: Deno would read two of it
 */
export function permissionFlags(permissions: Partial<Permissions>): string[] {
  return (["read", "write", "net"] as const).flatMap((kind) => {
    const items = [...new Set(permissions[kind])];
    const split = items.find((item) => item.includes(","));
    if (split !== undefined) {
      throw new AppError(
        "BadRequest",
        `${split}: a path or host must not have a comma, as permissions are a list with commas; ` +
          "use another path, and repeat an option that takes several values",
      );
    }
    return items.length > 0 ? [`--allow-${kind}=${items.join(",")}`] : [];
  });
}
