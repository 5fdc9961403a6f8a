/**
 * `deno task kube up|down|kubeconfig [DIR]`: a real Kubernetes control plane by hand, in `DIR`
 * (`.skerry/kube`). `down` ends it and keeps its data; remove the folder to begin afresh.
 */
import { buildKube } from "./build.ts";
import { KubeCluster } from "./cluster.ts";

const USAGE = "use: deno task kube up|down|kubeconfig [DIR]";

async function main([verb, dir = ".skerry/kube"]: readonly string[]): Promise<string> {
  if (dir.startsWith("-")) throw new Error(USAGE);
  if (verb === "kubeconfig") return `${await Deno.realPath(dir)}/admin.kubeconfig`;
  if (verb !== "up" && verb !== "down") {
    throw new Error(USAGE);
  }
  await Deno.mkdir(dir, { recursive: true });
  const programs = await buildKube();
  const place = await Deno.realPath(dir);
  if (verb === "down") {
    await (await KubeCluster.at(programs, place)).stop();
    return `stopped; its data is in ${place}`;
  }
  const { kubeconfig } = await KubeCluster.start(programs, place);
  return `export KUBECONFIG=${kubeconfig}`;
}

if (import.meta.main) {
  try {
    // deno-lint-ignore no-console -- what the person asked for
    console.log(await main(Deno.args));
    Deno.exit(0);
  } catch (error) {
    // deno-lint-ignore no-console -- tells the person what to do
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
