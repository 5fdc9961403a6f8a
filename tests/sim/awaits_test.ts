// A hub that follows Secrets by name: what a pod names is looked up before the pod is sent.
import assert from "node:assert/strict";
import { AppError, seconds, sleep } from "../../core/base/mod.ts";
import { type KubeObject, RESOURCES } from "../../core/api/mod.ts";
import { openSqliteStore, type Store } from "../../core/store/mod.ts";
import { allowPrune } from "../../core/sync/mod.ts";
import { configMap, names, podOn, refTo, Rig } from "./rig.ts";

const { pods, secrets } = RESOURCES;

const secret = (name: string): KubeObject => ({ ...configMap(name, "1"), kind: "Secret" });
const mount = (secretName: string) => ({ volumes: [{ name: "v", secret: { secretName } }] });

/** A site whose nodes read Secrets by a watch that takes its time, or is refused. */
function siteWith(look: () => Promise<void>, store?: () => Store): Rig {
  const rig: Rig = new Rig({
    storeOf: () => {
      const base = store?.() ?? rig.store;
      return {
        ...bound(base),
        watch: async (resource, options) => {
          if (resource === secrets) await look();
          return await base.watch(resource, options);
        },
      };
    },
  });
  return rig;
}

function bound(store: Store): Store {
  return {
    get: (ref) => store.get(ref),
    list: (resource, options) => store.list(resource, options),
    create: (resource, object, options) => store.create(resource, object, options),
    update: (ref, change, options) => store.update(ref, change, options),
    delete: (ref, options) => store.delete(ref, options),
    watch: (resource, options) => store.watch(resource, options),
    epoch: () => store.epoch(),
  };
}

Deno.test("a pod waits for its Secret to be looked up, and holds up no other pod", async () => {
  const rig: Rig = siteWith(() => sleep(rig.clock, seconds(2)));
  await using _rig = rig;
  await rig.startHub();
  const n1 = rig.node("n1");
  await rig.store.create(secrets, secret("s"));
  await rig.store.create(pods, podOn("n1", "a", mount("s")));
  await rig.store.create(pods, podOn("n1", "b"));
  const order: string[] = [];
  for (const resource of [pods, secrets]) {
    void (async () => {
      for await (const event of await n1.store.watch(resource)) {
        if (event.type === "ADDED") order.push(event.object.metadata.name);
      }
    })();
  }
  await rig.pass(1);
  assert.deepEqual([names(n1), names(n1, secrets)], [["b"], []]);
  await rig.pass(2);
  assert.deepEqual([names(n1), names(n1, secrets)], [["a", "b"], ["s"]]);
  assert.deepEqual(order, ["b", "s", "a"]);
});

Deno.test("a pod whose Secret is not there comes as soon as that is known", async () => {
  const rig: Rig = siteWith(() => Promise.resolve());
  await using _rig = rig;
  await rig.startHub();
  const n1 = rig.node("n1");
  await rig.store.create(pods, podOn("n1", "a", mount("none")));
  await rig.pass(1);
  assert.deepEqual(names(n1), ["a"]);
});

const REFUSALS: Readonly<Record<string, (rig: Rig) => Promise<void>>> = {
  "that may not be read": () => Promise.reject(new AppError("Forbidden", "no right")),
  "that no server tells of": (rig) => sleep(rig.clock, seconds(3600)),
};
for (const [what, refuse] of Object.entries(REFUSALS)) {
  Deno.test(`a Secret ${what} holds a pod up for five seconds`, async () => {
    let open = false;
    const rig: Rig = siteWith(() => open ? Promise.resolve() : refuse(rig));
    await using _rig = rig;
    await rig.startHub();
    const n1 = rig.node("n1");
    await rig.store.create(secrets, secret("s"));
    await rig.store.create(pods, podOn("n1", "a", mount("s")));
    await rig.pass(4.5);
    assert.deepEqual(names(n1), []);
    await rig.pass(1);
    assert.deepEqual([names(n1), names(n1, secrets)], [["a"], []]);
    open = true;
    await rig.pass(3600);
    assert.deepEqual(names(n1, secrets), ["s"]);
  });
}

Deno.test("a pod that the node has hears of its end, whatever is being looked up", async () => {
  let slow = false;
  const rig: Rig = siteWith(() => slow ? sleep(rig.clock, seconds(3)) : Promise.resolve());
  await using _rig = rig;
  await rig.startHub();
  const n1 = rig.node("n1");
  await rig.store.create(secrets, secret("s"));
  await rig.store.create(pods, podOn("n1", "a", mount("s")));
  await rig.pass(1);
  assert.deepEqual(names(n1), ["a"]);
  await rig.stopHub();
  await rig.store.delete(refTo(pods, "a"), { gracePeriodSeconds: 30 });
  slow = true;
  await rig.startHub();
  const deleted = (): boolean =>
    n1.store.transact((tx) => tx.get(refTo(pods, "a")))?.metadata.deletionTimestamp !== undefined;
  for (let tries = 0; !n1.link.state.connected && tries < 100; tries++) await rig.pass(0.1);
  await rig.pass(0.5);
  assert.equal(deleted(), true);
  assert.deepEqual(names(n1, secrets), ["s"]);
});

Deno.test("a pod made anew under its name waits for what it names then", async () => {
  let slow = 0;
  const rig: Rig = siteWith(() => slow ? sleep(rig.clock, seconds(slow)) : Promise.resolve());
  await using _rig = rig;
  await rig.startHub();
  const n1 = rig.node("n1");
  await rig.store.create(pods, podOn("n1", "a"));
  await rig.pass(1);
  slow = 2;
  await rig.store.create(secrets, secret("s"));
  rig.store.transact((tx) => tx.purge(refTo(pods, "a")));
  await rig.store.create(pods, podOn("n1", "a", mount("s")));
  await rig.pass(1);
  assert.deepEqual(names(n1), []);
  await rig.pass(2);
  assert.deepEqual([names(n1), names(n1, secrets)], [["a"], ["s"]]);
});

Deno.test("a snapshot is not complete before all is looked up: nothing is pruned that is there", async () => {
  let slow = false;
  const present: { store?: Store } = {};
  const rig: Rig = siteWith(
    () => slow ? sleep(rig.clock, seconds(3)) : Promise.resolve(),
    () => present.store ?? rig.store,
  );
  await using _rig = rig;
  await rig.startHub();
  const gone: string[] = [];
  const n1 = rig.node("n1", { onDelete: (_tx, { name }) => void gone.push(name) });
  await rig.store.create(secrets, secret("s"));
  await rig.store.create(pods, podOn("n1", "a", mount("s")));
  await rig.pass(1);
  await rig.stopHub();
  const other = openSqliteStore({ path: ":memory:", clock: rig.clock, random: rig.random });
  present.store = other;
  for (const [resource, name] of [[secrets, "s"], [pods, "a"]] as const) {
    const old = await rig.store.get(refTo(resource, name));
    other.transact((tx) => tx.put(resource, old));
  }
  slow = true;
  n1.store.transact(allowPrune);
  await rig.startHub(other);
  for (let tries = 0; !n1.link.state.connected && tries < 100; tries++) await rig.pass(0.1);
  await rig.pass(1);
  assert.deepEqual([names(n1), names(n1, secrets), gone], [["a"], ["s"], []]);
  await rig.pass(20);
  assert.deepEqual([names(n1), names(n1, secrets), gone], [["a"], ["s"], []]);
  await rig.stopHub();
});
