/** The chart as helm renders and installs it, and the hub's service account, for tests. */
import { parseAllDocuments } from "yaml";
import { reviewAccess } from "../../core/kube/mod.ts";
import { SYSTEM_NAMESPACE } from "../../core/tokens/mod.ts";
import { mustRun } from "../../tools/containerd/mod.ts";
import { findHelm } from "../../tools/helm.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import type { TestCluster } from "./cluster.ts";
import { grantsOf, ON_NODE } from "./rights.ts";

/** The chart's folder. */
export const CHART = new URL("../../charts/skerry", import.meta.url).pathname;
/** The hub's service account. */
export const ACCOUNT = "skerry-hub";
/** The user that a service account of that name is. */
export const HUB_USER = `system:serviceaccount:${SYSTEM_NAMESPACE}:${ACCOUNT}`;

/** An object that the chart renders. */
export interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  // deno-lint-ignore no-explicit-any -- members by kind
  readonly [member: string]: any;
}

/** What the chart renders, or one of its templates. @throws {Error} with helm's own words */
export async function renderChart(args: readonly string[] = []): Promise<Rendered[]> {
  const text = await mustRun(await findHelm(), [
    ...["template", "skerry", CHART, `--namespace=${SYSTEM_NAMESPACE}`],
    ...args,
  ]);
  return parseAllDocuments(text).map((document) => document.toJS()).filter((one) => one !== null);
}

/**
 * Lets a cluster have the hub's namespace, its service account and the rights of that, and its
 * webhook, which nobody reaches. Returns what gives the rights, when the hub has them.
 */
export async function applyRights(
  cluster: TestCluster,
  args: readonly string[] = [],
): Promise<Rendered[]> {
  const rights = await renderChart(["--show-only=templates/rbac.yaml", ...args]);
  const webhook = await renderChart(["--show-only=templates/webhook.yaml"]);
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: SYSTEM_NAMESPACE } };
  for (const object of [namespace, ...rights, ...webhook]) await cluster.apply(object);
  await untilGranted(cluster, rights);
  return rights;
}

/** Waits until the API server, which looks roles up in caches of its own, lets the hub have these. */
async function untilGranted({ client }: TestCluster, rights: readonly Rendered[]): Promise<void> {
  const hub = { name: HUB_USER, groups: [] };
  for (const { text, group, namespace = "", name = "", ...grant } of grantsOf(rights)) {
    const [resource = "", subresource = ""] = grant.resource.split("/");
    const verb = grant.asNode ? `${ON_NODE}${grant.verb}` : grant.verb;
    const right = { verb, group, version: "", resource, subresource, namespace, name, path: "" };
    await until(
      `the hub may do this: ${text}`,
      async () => (await reviewAccess(client, hub, right)).allowed,
    );
  }
}

/** Has the cluster make a token of a service account. */
export async function tokenOf(
  { client }: TestCluster,
  account: string,
  namespace: string = SYSTEM_NAMESPACE,
): Promise<string> {
  const { status } = await client.call({
    method: "POST",
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
    body: {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: 3600 },
    },
  });
  return status.token;
}

/** Writes a kubeconfig that is a service account into `folder`. Returns its path. */
export async function accountKubeconfig(
  cluster: TestCluster,
  folder: string,
  account: string = ACCOUNT,
  namespace: string = SYSTEM_NAMESPACE,
): Promise<string> {
  const path = `${folder}/${account}.kubeconfig`;
  const tokenFile = `${account}.token`;
  await Deno.writeTextFile(`${folder}/${tokenFile}`, await tokenOf(cluster, account, namespace));
  const config = {
    "current-context": "own",
    contexts: [{ name: "own", context: { cluster: "own", user: "own" } }],
    clusters: [{
      name: "own",
      cluster: { server: cluster.client.server, "certificate-authority": cluster.ca },
    }],
    users: [{ name: "own", user: { tokenFile } }],
  };
  // JSON is YAML.
  await Deno.writeTextFile(path, JSON.stringify(config));
  return path;
}
