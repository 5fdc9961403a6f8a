/**
 * Figures `p50`, `p99` (ms): a ConfigMap changed in the hub's store, until the change is committed in
 * the node's store. One hub process, one node process, mTLS WebSocket on loopback, SQLite files.
 */
import { ms, sleep, systemClock } from "../core/base/mod.ts";
import { RESOURCES } from "../core/api/mod.ts";
import { openSqliteStore } from "../core/store/mod.ts";
import { Child, conditions, makeIdentities, percentiles, print } from "./link_lib.ts";

const CHANGES = Number(Deno.args[0] ?? 500);

/** Seeds a hub's store with a ConfigMap and a pod on node 0 that mounts it. */
export async function seed(folder: string): Promise<void> {
  await Deno.writeTextFile(`${folder}/identities.json`, JSON.stringify(await makeIdentities()));
  using store = openSqliteStore({ path: `${folder}/hub.db`, clock: systemClock });
  const metadata = { name: "bench", namespace: "default" };
  await store.create(RESOURCES.configmaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata,
    data: { value: "start" },
  });
  await store.create(RESOURCES.pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata,
    spec: {
      nodeName: "bench-0",
      containers: [{ name: "c", image: "i" }],
      volumes: [{ name: "v", configMap: { name: "bench" } }],
    },
  });
}

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skerry-bench-" });
  try {
    await seed(folder);
    await using hub = new Child("link_hub_lib.ts", [folder]);
    const { port } = await hub.next<{ port: number }>();
    await using node = new Child("link_nodes_lib.ts", [folder, `127.0.0.1:${port}`, "0", "1"]);
    await node.next();
    await node.next<{ value: string }>();
    const times: number[] = [];
    for (let i = 0; i < CHANGES; i++) {
      await sleep(systemClock, ms(5));
      const { at } = await hub.ask<{ at: number }>(`put v${i}`);
      let seen = await node.next<{ value: string; at: number }>();
      while (seen.value !== `v${i}`) seen = await node.next();
      times.push(seen.at - at);
    }
    const { p50, p99 } = percentiles(times);
    print({
      bench: "watch",
      conditions: conditions({
        changes: CHANGES,
        transport: "mTLS WebSocket, loopback",
        fsync: "FULL",
      }),
      figures: [
        { name: "p50", value: round(p50), unit: "ms" },
        { name: "p99", value: round(p99), unit: "ms" },
      ],
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

if (import.meta.main) await main();
