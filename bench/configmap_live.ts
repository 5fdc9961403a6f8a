/**
 * How long a change of a configMap takes from the answer of the API to the file in a running pod
 * (ms, p50 and max). The pod's file is looked at on the node every 5 ms.
 *
 * `deno task bench configmap-live [RUNS]`. Hub, agent and containerd on one machine, over mTLS.
 */
import { deadline, ms, seconds, sleep, systemClock } from "../core/base/mod.ts";
import { figure, loadNow, round } from "./figures_lib.ts";
import { conditions, percentiles, print } from "./link_lib.ts";
import { benchPod, PodStand } from "./pods_lib.ts";

const RUNS = Number(Deno.args[0] ?? 30);
const MAPS = "/api/v1/namespaces/default/configmaps";

function settings(text: string): unknown {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "settings", namespace: "default" },
    data: { text },
  };
}

/** The root of the file system that the pod's process sees, by the process's id. */
async function rootOf(marker: string): Promise<string> {
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const line = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    if (line.includes(marker)) return `/proc/${name}/root`;
  }
  throw new Error(`no process has ${marker} among its arguments`);
}

async function main(): Promise<void> {
  const load = loadNow();
  await using bench = await PodStand.open();
  const { stand } = bench;
  await stand.api.request("POST", MAPS, settings("0"));
  const base = benchPod("reads");
  const [container] = base.spec.containers;
  const made = {
    ...container,
    name: "c",
    image: container?.image ?? "",
    command: ["sleep", "7654321"],
    volumeMounts: [{ name: "settings", mountPath: "/settings" }],
  };
  const volumes = [{ name: "settings", configMap: { name: "settings" } }];
  await stand.runPods([{ ...base, spec: { ...base.spec, containers: [made], volumes } }]);
  const file = `${await rootOf("7654321")}/settings/text`;
  const times: number[] = [];
  for (let run = 1; run <= RUNS; run++) {
    using limit = deadline(systemClock, seconds(90), () => new Error("the file does not change"));
    await stand.api.request("PUT", `${MAPS}/settings`, settings(`${run}`));
    const from = systemClock.monotonic();
    while (await Deno.readTextFile(file).catch(() => "") !== `${run}`) {
      await sleep(systemClock, ms(5), limit.signal);
    }
    times.push(systemClock.monotonic() - from);
    await sleep(systemClock, ms(300));
  }
  print({
    bench: "configmap-live",
    conditions: conditions({ load, loadAtEnd: loadNow(), runs: RUNS }),
    figures: [
      figure("p50", round(percentiles(times).p50, 1), "ms", { goal: 500 }),
      figure("max", round(Math.max(...times), 1), "ms", { goal: 500 }),
    ],
  });
}

await main();
