import type { KubePrograms } from "./build.ts";

/** The parts of a control plane, in the order in which they start. */
export const COMPONENTS = ["etcd", "apiserver", "controller-manager", "scheduler"] as const;
/** One of {@linkcode COMPONENTS}. */
export type Component = (typeof COMPONENTS)[number];

/** The ports of a control plane, all on 127.0.0.1. */
export interface KubePorts {
  readonly apiserver: number;
  readonly etcd: number;
  readonly etcdPeer: number;
  readonly controllerManager: number;
  readonly scheduler: number;
}

/** What the commands are made of. */
export interface CommandPlace {
  readonly programs: KubePrograms;
  readonly ports: KubePorts;
  /** Holds `pki`, `data` and kubeconfigs; see `certificates.ts`. */
  readonly dir: string;
  /** Whether the API server writes down each request in `audit.log`, by `audit.yaml`. */
  readonly audit?: boolean;
  /** The API server's; "" for its own. */
  readonly featureGates?: string;
  /** Seconds after which a node whose Lease is not renewed is lost. @default {Kubernetes' own} */
  readonly nodeGrace?: number | undefined;
}

/** Range of Service addresses; the first is `kubernetes.default`. */
export const SERVICE_CIDR = "10.96.0.0/16";
/** The first address of {@linkcode SERVICE_CIDR}. */
export const FIRST_SERVICE_IP = "10.96.0.1";

/** The command line of one part. Pure. */
export function commandOf(component: Component, place: CommandPlace): string[] {
  const { programs } = place;
  switch (component) {
    case "etcd":
      return [programs.etcd, ...etcdFlags(place)];
    case "apiserver":
      return [programs.apiserver, ...apiserverFlags(place)];
    case "controller-manager":
      return [programs.controllerManager, ...controllerManagerFlags(place)];
    case "scheduler":
      return [
        programs.scheduler,
        ...leaderless(`${place.dir}/scheduler.kubeconfig`, place.ports.scheduler),
      ];
  }
}

function etcdFlags({ dir, ports }: CommandPlace): string[] {
  const client = `http://127.0.0.1:${ports.etcd}`;
  const peer = `http://127.0.0.1:${ports.etcdPeer}`;
  return [
    "--name=one",
    `--data-dir=${dir}/data`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=one=${peer}`,
    "--log-level=warn",
  ];
}

function apiserverFlags({ dir, ports, audit, featureGates = "" }: CommandPlace): string[] {
  const pki = `${dir}/pki`;
  return [
    ...(audit
      ? [`--audit-policy-file=${dir}/audit.yaml`, `--audit-log-path=${dir}/audit.log`]
      : []),
    ...(featureGates === "" ? [] : [`--feature-gates=${featureGates}`]),
    `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    `--secure-port=${ports.apiserver}`,
    `--client-ca-file=${pki}/ca.crt`,
    `--tls-cert-file=${pki}/apiserver.crt`,
    `--tls-private-key-file=${pki}/apiserver.key`,
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-signing-key-file=${pki}/service-accounts.key`,
    `--service-account-key-file=${pki}/service-accounts.pub`,
    `--service-cluster-ip-range=${SERVICE_CIDR}`,
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--endpoint-reconciler-type=none",
    `--kubelet-client-certificate=${pki}/kubelet-client.crt`,
    `--kubelet-client-key=${pki}/kubelet-client.key`,
    `--kubelet-certificate-authority=${pki}/ca.crt`,
    "--kubelet-preferred-address-types=InternalIP,Hostname",
    // Other servers behind it (an APIService).
    `--requestheader-client-ca-file=${pki}/front-proxy-ca.crt`,
    "--requestheader-allowed-names=front-proxy-client",
    "--requestheader-username-headers=X-Remote-User",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    `--proxy-client-cert-file=${pki}/front-proxy-client.crt`,
    `--proxy-client-key-file=${pki}/front-proxy-client.key`,
    "--enable-bootstrap-token-auth=true",
    "--allow-privileged=true",
  ];
}

/** One identity with all rights for all controllers: it is there twice as fast. */
function controllerManagerFlags({ dir, ports, nodeGrace }: CommandPlace): string[] {
  const pki = `${dir}/pki`;
  return [
    ...leaderless(`${dir}/controller-manager.kubeconfig`, ports.controllerManager),
    `--root-ca-file=${pki}/ca.crt`,
    `--service-account-private-key-file=${pki}/service-accounts.key`,
    "--use-service-account-credentials=false",
    `--cluster-signing-cert-file=${pki}/ca.crt`,
    `--cluster-signing-key-file=${pki}/ca.key`,
    "--controllers=*,bootstrapsigner,tokencleaner",
    ...(nodeGrace === undefined ? [] : [`--node-monitor-grace-period=${nodeGrace}s`]),
  ];
}

function leaderless(kubeconfig: string, port: number): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    "--bind-address=127.0.0.1",
    `--secure-port=${port}`,
    "--leader-elect=false",
  ];
}
