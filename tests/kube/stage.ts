/** A hub on a real cluster with the rights that the chart gives it, and what it was denied. */
import assert from "node:assert/strict";
import type { HubAt, Site } from "../e2e/gateway_lib.ts";
import { accountKubeconfig, applyRights, HUB_USER, type Rendered } from "./chart.ts";
import { TestCluster } from "./cluster.ts";
import { type Audited, auditText, readAudit } from "./rights.ts";

/** A cluster whose audit log has what the hub asks for. */
export interface Stage {
  readonly cluster: TestCluster;
  readonly rights: readonly Rendered[];
  /** Starts the hub as its service account. */
  hub(): Promise<HubAt>;
  kubectl(...args: readonly string[]): Promise<string>;
}

/**
 * Starts one.
 *
 * @param args of helm, e.g. `--set=impersonation=legacy`
 * @param flags of the hub that go with these
 * @param featureGates of the API server
 */
export async function stageOf(
  site: Site,
  args: readonly string[],
  flags: readonly string[],
  featureGates = "",
): Promise<Stage> {
  const cluster = site.hold(await TestCluster.start({ auditOf: HUB_USER, featureGates }));
  await cluster.applyCrds();
  const rights = await applyRights(cluster, args);
  const kubeconfig = await accountKubeconfig(cluster, site.folder);
  // As the chart says it to its hub.
  const told = flags.some((flag) => flag.startsWith("--impersonation="));
  const all = told ? flags : ["--impersonation=constrained", ...flags];
  return {
    cluster,
    rights,
    // The site's own clients are the administrator.
    hub: async () => ({
      ...await site.hubOn(kubeconfig, all),
      kubeconfig: cluster.parts.kubeconfig,
    }),
    kubectl: (...args) => site.kubectl(cluster.parts.kubeconfig, args),
  };
}

/**
 * Returns all that the hub has asked for, after the first `from` characters of the audit log; what
 * it was denied for the reason `expected` counts for nothing.
 *
 * @throws {AssertionError} with what else it was denied
 */
export async function assertNothingDenied(
  { cluster }: Stage,
  { from = 0, expected }: { readonly from?: number; readonly expected?: RegExp } = {},
): Promise<readonly Audited[]> {
  const audited = await readAudit(`${cluster.parts.dir}/audit.log`, from);
  assert.ok(audited.length > 0);
  const denied = audited.filter(({ responseStatus }) =>
    responseStatus?.code === 403 && !expected?.test(responseStatus.message ?? "")
  );
  assert.deepEqual([...new Set(denied.map(auditText))], []);
  return audited;
}
