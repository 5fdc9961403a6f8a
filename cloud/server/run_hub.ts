import type { HUB_OPTIONS, PartContext } from "../../core/parts/mod.ts";
import { runEmbedded } from "./run_embedded.ts";
import { runOnKubernetes } from "./run_on_kubernetes.ts";

/** Runs the hub until the process is told to stop: with an API of its own, or on a cluster's. */
export async function runHub(context: PartContext<typeof HUB_OPTIONS>): Promise<void> {
  await (context.options.kubeconfig === "" ? runEmbedded(context) : runOnKubernetes(context));
}
