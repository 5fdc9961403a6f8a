/**
 * Writes to a store as fast as it can until it is killed. Before each write it prints
 * `+ JSON of the step`, after the store's answer `= version`. Arguments: path, seed, first number.
 */
import { ms, seededRandom, systemClock } from "../../core/base/mod.ts";
import { type KubeObject, RESOURCES } from "../../core/api/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";

const [path = "", seed = "0", first = "0"] = Deno.args;
const random = seededRandom(Number(seed));
const store = openSqliteStore({ path, clock: systemClock, keepEvents: 50, keepFor: ms(0) });
const encoder = new TextEncoder();

function say(line: string): void {
  Deno.stdout.writeSync(encoder.encode(`${line}\n`));
}

say("open");
for (let n = Number(first);; n++) {
  const name = `c${Math.floor(random() * 8)}`;
  const ref = { resource: RESOURCES.configmaps, namespace: "a", name };
  // Texts of all sizes, so that the log grows, is checkpointed and compacted at odd moments.
  const size = Math.floor(random() ** 3 * 30_000);
  const remove = random() < 0.2;
  say(`+ ${JSON.stringify({ n, name, size, remove })}`);
  const version = store.transact((tx) => {
    const object: KubeObject = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace: "a" },
      data: { n: String(n), text: "x".repeat(size) },
    };
    tx.putRow("last", "n", String(n));
    if (remove && tx.get(ref)) return tx.delete(ref);
    if (remove) return undefined;
    return tx.get(ref) ? tx.update(ref, () => object) : tx.create(ref.resource, object);
  })?.metadata.resourceVersion;
  say(`= ${version ?? store.versions.newest}`);
}
