/** The real metrics-server beside a test cluster, as its own manifests install it. */
import { buildMetricsServer, makeServing } from "../../tools/kube/mod.ts";
import type { Site } from "../e2e/gateway_lib.ts";
import { type Running, until } from "../e2e/gateway_process_lib.ts";
import { accountKubeconfig } from "./chart.ts";
import type { TestCluster } from "./cluster.ts";

const NAME = "metrics-server";
const NAMESPACE = "kube-system";
const RBAC = "rbac.authorization.k8s.io";

/**
 * Starts it, and has the API server send `metrics.k8s.io` to it: by a Service that is only a name, as
 * there is no network of pods. It verifies kubelets by the cluster's CA, and reads them as its service
 * account. Resolves when the API server reaches it.
 */
export async function startMetricsServer(site: Site, cluster: TestCluster): Promise<Running> {
  const { dir } = cluster.parts;
  const port = site.port(NAME);
  await makeServing(dir, NAME, [`${NAME}.${NAMESPACE}.svc`]);
  for (const object of await objects(cluster, port)) await cluster.apply(object);
  const kubeconfig = await accountKubeconfig(cluster, site.folder, NAME, NAMESPACE);
  const process = site.start(NAME, [
    await buildMetricsServer(),
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    ...["--bind-address=127.0.0.1", `--secure-port=${port}`],
    ...[`--tls-cert-file=${dir}/pki/${NAME}.crt`, `--tls-private-key-file=${dir}/pki/${NAME}.key`],
    // As in the project's own manifests, but for the CA, which they leave to the user.
    "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
    "--kubelet-use-node-status-port",
    `--kubelet-certificate-authority=${cluster.ca}`,
    // The shortest that it takes; a kubelet must answer within it.
    ...["--metric-resolution=10s", "--kubelet-request-timeout=5s"],
  ]);
  await until("the API server reaches metrics-server", async () => {
    const { status } = await cluster.client.call({
      method: "GET",
      path: "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io",
    });
    const one = status?.conditions?.find(({ type }: { type: string }) => type === "Available");
    if (one?.status !== "True") throw new Error(JSON.stringify(one ?? "no condition"));
    return true;
    // It is ready when it has read the nodes twice.
  }, 120);
  return process;
}

async function objects(cluster: TestCluster, port: number): Promise<unknown[]> {
  const role = (kind: string, name: string) => ({ apiGroup: RBAC, kind, name });
  const subjects = [{ kind: "ServiceAccount", name: NAME, namespace: NAMESPACE }];
  const metadata = { name: NAME, namespace: NAMESPACE };
  const rbac = { apiVersion: `${RBAC}/v1` };
  const read = ["get", "list", "watch"];
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    {
      ...rbac,
      kind: "ClusterRole",
      metadata: { name: `system:${NAME}` },
      rules: [
        { apiGroups: [""], resources: ["nodes/metrics"], verbs: ["get"] },
        { apiGroups: [""], resources: ["pods", "nodes"], verbs: read },
      ],
    },
    ...[`system:${NAME}`, "system:auth-delegator"].map((name) => ({
      ...rbac,
      kind: "ClusterRoleBinding",
      metadata: { name: `${NAME}-${name.replaceAll(":", "-")}` },
      roleRef: role("ClusterRole", name),
      subjects,
    })),
    {
      ...rbac,
      kind: "RoleBinding",
      metadata: { ...metadata, name: `${NAME}-auth-reader` },
      roleRef: role("Role", "extension-apiserver-authentication-reader"),
      subjects,
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { type: "ExternalName", externalName: "localhost", ports: [{ port }] },
    },
    {
      apiVersion: "apiregistration.k8s.io/v1",
      kind: "APIService",
      metadata: { name: "v1beta1.metrics.k8s.io" },
      spec: {
        group: "metrics.k8s.io",
        version: "v1beta1",
        groupPriorityMinimum: 100,
        versionPriority: 100,
        service: { ...metadata, port },
        caBundle: btoa(await Deno.readTextFile(cluster.ca)),
      },
    },
  ];
}
