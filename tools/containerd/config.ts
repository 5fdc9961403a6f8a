import { TEST_IMAGES } from "../images/mod.ts";

/** Where a private containerd keeps its things; all below one folder. */
export interface ContainerdPaths {
  readonly dir: string;
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  readonly cni: string;
  readonly config: string;
  /** Registries that need words of their own, by host. */
  readonly registries: string;
  readonly log: string;
}

/** The paths of the private containerd in `dir`. */
export function containerdPaths(dir: string): ContainerdPaths {
  return {
    dir,
    root: `${dir}/root`,
    state: `${dir}/state`,
    socket: `${dir}/containerd.sock`,
    cni: `${dir}/cni`,
    config: `${dir}/config.toml`,
    registries: `${dir}/certs.d`,
    log: `${dir}/containerd.log`,
  };
}

/** What of the machine decides the configuration. */
export interface MachineTraits {
  /** Whether oom_score_adj can be lowered (CAP_SYS_RESOURCE). */
  readonly sysResource: boolean;
  /** Folder of the CNI plugins. */
  readonly cniBin: string;
}

/** containerd's configuration (version 2, which 1.6 to 2.x read) for `paths`. */
export function containerdConfig(paths: ContainerdPaths, machine: MachineTraits): string {
  return `version = 2
root = "${paths.root}"
state = "${paths.state}"
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing"]

[grpc]
address = "${paths.socket}"

[ttrpc]
address = "${paths.socket}.ttrpc"

[plugins."io.containerd.internal.v1.opt"]
path = "${paths.dir}/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${TEST_IMAGES.pause}"
restrict_oom_score_adj = ${!machine.sysResource}
netns_mounts_under_state_dir = true
stream_server_address = "127.0.0.1"
stream_server_port = "0"
enable_unprivileged_ports = true
enable_unprivileged_icmp = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${machine.cniBin}"
conf_dir = "${paths.cni}"

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "${paths.registries}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
`;
}

/** What makes containerd speak plain HTTP with the registry `host` (`HOST:PORT`), as `hosts.toml`. */
export function plainHttpHost(host: string): string {
  return `server = "http://${host}"

[host."http://${host}"]
capabilities = ["pull", "resolve"]
`;
}

/** A bridge and its subnet, told apart from those of other private containerds by `index`. */
export interface BridgeNetwork {
  readonly index: number;
  /** Interface name. */
  readonly bridge: string;
  /** e.g. `10.200.7.0/24`. */
  readonly subnet: string;
}

/** How many private containerds one machine can have at a time. */
export const MAX_NETWORKS = 1024;

/** The network number `index`, in 10.200.0.0/14. */
export function bridgeNetwork(index: number): BridgeNetwork {
  return {
    index,
    bridge: `skr${index}`,
    subnet: `10.${200 + (index >> 8)}.${index & 255}.0/24`,
  };
}

/** The CNI configuration list of `network`: a bridge with host ports, leases kept in `dir`. */
export function cniConfig(network: BridgeNetwork, dir: string): string {
  return JSON.stringify({
    cniVersion: "1.0.0",
    name: network.bridge,
    plugins: [{
      type: "bridge",
      bridge: network.bridge,
      isGateway: true,
      ipMasq: false,
      hairpinMode: true,
      ipam: {
        type: "host-local",
        dataDir: `${dir}/ipam`,
        ranges: [[{ subnet: network.subnet }]],
        routes: [{ dst: "0.0.0.0/0" }],
      },
    }, { type: "portmap", capabilities: { portMappings: true } }],
  });
}
