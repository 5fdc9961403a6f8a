/** A stay on a real cluster, with nodes that are played. */
import { parse, stringify } from "yaml";
import { VIEWER_GROUP } from "../../core/http/mod.ts";
import { until } from "../../core/http/testing.ts";
import type { KubeClient, RemoteStore } from "../../core/kube/mod.ts";
import { openCluster, visitCluster } from "../../tools/kube/mod.ts";
import { addNode, type Healthy, playNodes } from "./kubelet.ts";

/** One test's stay; disposing it leaves the cluster as it was. */
export interface Stay extends AsyncDisposable {
  readonly client: KubeClient;
  readonly store: RemoteStore;
}

/** Begins a stay with `nodes`, whose pods run as soon as they are bound. */
export async function stayOn(
  kubeconfig: string,
  nodes: readonly string[],
  healthy?: Healthy,
): Promise<Stay> {
  await using held = new AsyncDisposableStack();
  held.use(await visitCluster(kubeconfig));
  const { client, store } = held.use(await openCluster(kubeconfig));
  for (const node of nodes) await addNode(store, node);
  held.use(playNodes(store, nodes, healthy));
  const stack = held.move();
  return { client, store, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** What a viewer may read: what the embedded API's viewers may, as far as tests ask for it. */
const READABLE = [
  {
    apiGroups: [""],
    resources: ["configmaps", "events", "namespaces", "nodes", "pods", "pods/log", "services"],
  },
  { apiGroups: ["apps"], resources: ["deployments", "deployments/scale"] },
];

/** Writes kubeconfigs for `admin`, `viewer` and `nobody` to `folder`, and gives viewers their rights. */
export async function writeUsers(
  folder: string,
  kubeconfig: string,
  client: KubeClient,
): Promise<void> {
  const text = await Deno.readTextFile(kubeconfig);
  const config = parse(text);
  const write = async (name: string, change: (user: Record<string, unknown>) => object) => {
    const users = config.users.map((one: { name: string; user: Record<string, unknown> }) => ({
      ...one,
      user: change(one.user),
    }));
    await Deno.writeTextFile(`${folder}/${name}`, stringify({ ...config, users }), { mode: 0o600 });
  };
  await write("admin", (user) => user);
  await write("viewer", (user) => ({ ...user, as: "vera", "as-groups": [VIEWER_GROUP] }));
  await write("nobody", () => ({ token: "wrong" }));
  const rbac = "/apis/rbac.authorization.k8s.io/v1";
  const role = { metadata: { name: "skerry-test-viewers" } };
  const rules = READABLE.map((rule) => ({ ...rule, verbs: ["get", "list", "watch"] }));
  await client.call({ method: "POST", path: `${rbac}/clusterroles`, body: { ...role, rules } });
  const apiGroup = "rbac.authorization.k8s.io";
  await client.call({
    method: "POST",
    path: `${rbac}/clusterrolebindings`,
    body: {
      ...role,
      roleRef: { apiGroup, kind: "ClusterRole", name: role.metadata.name },
      subjects: [{ apiGroup, kind: "Group", name: VIEWER_GROUP }],
    },
  });
  // Who may do what is known to an API server a moment later.
  const resourceAttributes = { verb: "list", resource: "pods", namespace: "default" };
  await until("viewers may read", async () => {
    const { status } = await client.call({
      method: "POST",
      path: "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      body: { spec: { user: "vera", groups: [VIEWER_GROUP], resourceAttributes } },
    });
    return status.allowed || undefined;
  });
}
