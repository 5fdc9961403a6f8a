/**
 * The nodes process of `bench/link.ts` and `bench/watch.ts`: the real link of the agent, many times
 * in one process, each over mTLS with a certificate of its own. Prints a line for every value of
 * the ConfigMap `bench` that the first node has committed.
 */
import { createLogger, systemClock, systemRandom } from "../core/base/mod.ts";
import { RESOURCES } from "../core/api/mod.ts";
import { createWsDialer } from "../core/link/mod.ts";
import { openSqliteStore, type SqliteStore } from "../core/store/mod.ts";
import { createLink } from "../agent/link/mod.ts";
import { type Identities, issue, print } from "./link_lib.ts";

const [folder = "", hub = "", first = "0", count = "1"] = Deno.args;
const { ca } = JSON.parse(await Deno.readTextFile(`${folder}/identities.json`)) as Identities;
const clock = systemClock;
const log = createLogger({ level: "error" });
const never = new AbortController().signal;

async function startNode(index: number): Promise<SqliteStore> {
  const node = `bench-${index}`;
  const { certificate, key } = await issue(ca, node);
  const path = count === "1" ? `${folder}/${node}.db` : ":memory:";
  const store = openSqliteStore({ path, clock, log });
  const dialer = createWsDialer({
    hub,
    credentials: () => ({ ca: ca.certificate, cert: certificate, key }),
    clock,
  });
  const link = createLink({
    dialer,
    store,
    clock,
    random: systemRandom,
    log,
    node,
    version: "bench",
    bootId: crypto.randomUUID(),
  });
  const labels = { "kubernetes.io/hostname": node };
  const status = { conditions: [{ type: "Ready", status: "True" }] };
  store.transact((tx) => {
    const body = { node: { metadata: { name: node, labels }, status } };
    link.outbox.enqueue(tx, { key: "node", kind: "node", body });
  });
  void link.run(never, () => {});
  return store;
}

const stores: SqliteStore[] = [];
for (let i = 0; i < Number(count); i++) stores.push(await startNode(Number(first) + i));
print({ started: stores.length });

const watch = await stores[0]?.watch(RESOURCES.configmaps);
for await (const event of watch ?? []) {
  if (event.type === "BOOKMARK" || event.object.metadata.name !== "bench") continue;
  const at = performance.timeOrigin + performance.now();
  print({ value: event.object["data"]?.value, at });
}
