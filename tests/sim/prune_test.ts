import assert from "node:assert/strict";
import { RESOURCES } from "../../core/api/mod.ts";
import type { Tx } from "../../core/store/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { allowPrune, type Removed } from "../../core/sync/mod.ts";
import { configMap, names, podOn, refTo, Rig } from "./rig.ts";

const { pods, configmaps } = RESOURCES;

for (const changed of [true, false]) {
  const how = changed ? "a snapshot" : "an equal digest";
  Deno.test(`the node's rooms are told of all that ${how} removes after a new join`, async () => {
    await using rig = new Rig();
    await rig.startHub();
    const told: Removed[] = [];
    const onDelete = (tx: Tx, removed: Removed): void => {
      told.push(removed);
      assert.ok(tx.get(refTo(pods, "a")), "told before it is gone");
      tx.putRow("test-tombstone", removed.uid, removed.name);
    };
    const first = rig.node("n1", { onDelete });
    await rig.store.create(pods, podOn("n1", "a"));
    await rig.pass(1);
    const uid = (await rig.store.get(refTo(pods, "a"))).metadata.uid ?? "";
    await rig.stopHub();
    const other = openSqliteStore({ path: ":memory:", clock: rig.clock, random: rig.random });
    const volumes = [{ name: "v", configMap: { name: "new" } }];
    await other.create(configmaps, configMap("new", "1"));
    await other.create(pods, podOn("n1", "b", { volumes }));
    if (changed) first.store.transact(allowPrune);
    await rig.startHub(other);
    await rig.pass(20);
    if (!changed) {
      // The replica is the new hub's already: the hub says `same`, and no snapshot comes.
      assert.deepEqual([names(first), told], [["a", "b"], []]);
      first.store.transact(allowPrune);
      rig.network.cut("n1");
      await rig.pass(20);
    }
    assert.deepEqual(names(first), ["b"]);
    assert.deepEqual(told, [{ resource: "pods", uid, namespace: "default", name: "a" }]);
    const rows = first.store.transact((tx) => tx.rows("test-tombstone"));
    assert.deepEqual(rows.map(({ key }) => key), [uid], "in the transaction that removed it");
  });
}
