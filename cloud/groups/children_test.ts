import assert from "node:assert/strict";
import { apiVersionOf, type KubeObject, type ResourceDef } from "../../core/api/mod.ts";
import { ms, seededRandom, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import { Actor, Views } from "../../core/control/mod.ts";
import { findObject, openSqliteStore, type Store } from "../../core/store/mod.ts";
import { Applier } from "./applier.ts";
import { Children } from "./children.ts";
import { application, VALVES } from "./harness_test_helper.ts";
import { HeldKinds } from "./held_kinds.ts";
import { renderApplication } from "./render.ts";

const V1: ResourceDef = { ...VALVES, hasStatus: false };
const OLD: ResourceDef = { ...V1, version: "v1beta1" };
const never = new AbortController().signal;

/** A server that has valves in two versions, keeps them in the first, and has no empty texts. */
async function withValves(
  body: (rig: {
    readonly store: Store;
    readonly held: HeldKinds;
    /** What one more leader has. */
    readonly leader: () => Applier;
    /** Calls of the store, with their versions. */
    readonly asked: string[];
    readonly spec: () => Promise<Record<string, unknown> | undefined>;
    /** Somebody else's edit. */
    readonly edit: (spec: Record<string, unknown>) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const parts = { clock: new VirtualClock(), random: seededRandom(1), log: silentLogger };
  using real = openSqliteStore({ path: ":memory:", ...parts });
  const asked: string[] = [];
  const ask = (what: string, { version }: ResourceDef) => void asked.push(`${what} ${version}`);
  const as = ({ apiVersion: _, ...object }: KubeObject, resource: ResourceDef): KubeObject => ({
    ...object as KubeObject,
    apiVersion: apiVersionOf(resource),
  });
  const kept = (object: KubeObject): KubeObject => {
    const spec = Object.entries(object.spec ?? {}).filter(([, value]) => value !== "");
    return { ...as(object, V1), spec: Object.fromEntries(spec) };
  };
  const store: Store = {
    list: (...args) => real.list(...args),
    watch: (...args) => real.watch(...args),
    delete: (...args) => real.delete(...args),
    epoch: () => real.epoch(),
    get: async (ref) => {
      ask("get", ref.resource);
      return as(await real.get({ ...ref, resource: V1 }), ref.resource);
    },
    create: async (resource, object) => {
      ask("create", resource);
      return as(await real.create(V1, kept(object)), resource);
    },
    update: async (ref, change, options) => {
      ask("update", ref.resource);
      const changed = (object: KubeObject) => kept(change(as(object, ref.resource)));
      return as(await real.update({ ...ref, resource: V1 }, changed, options), ref.resource);
    },
  };
  const views = new Views({ ...parts, store });
  const both = [V1, OLD];
  const context = {
    ...{ ...parts, store, views, actor: new Actor(store, views) },
    kinds: {
      find: (apiVersion: string) =>
        Promise.resolve(both.find((one) => apiVersionOf(one) === apiVersion)),
      prefer: () => Promise.resolve(V1),
    },
  };
  const held = new HeldKinds(context);
  const stop = new AbortController();
  const running = views.run(stop.signal);
  const ref = { resource: V1, namespace: "default", name: "inlet" };
  await body({
    ...{ store, held, asked },
    leader: () => new Applier({ ...context, held, hasGroup: () => false }),
    spec: async () => (await findObject(real, ref))?.spec,
    edit: async (spec) => {
      await real.update(ref, (valve) => ({ ...valve, spec }));
      // The views see it.
      await parts.clock.advance(ms(0));
    },
  });
  stop.abort();
  await running;
}

Deno.test("HeldKinds watches a kind in the version that is preferred, whichever is named first", () =>
  withValves(async ({ held }) => {
    const problem = await held.find("plants.example.com/v2", "Valve", never);
    assert.deepEqual(problem, {
      reason: "KindNotServed",
      message: "Valve is not served in plants.example.com/v2, but in plants.example.com/v1: " +
        "name that",
    });
    assert.equal(held.view(V1), undefined);
    assert.equal(await held.find("plants.example.com/v1beta1", "Valve", never), OLD);
    assert.equal(held.view(OLD)?.resource, V1);
    assert.equal(await held.find("plants.example.com/v1", "Valve", never), V1);
  }));

Deno.test("HeldKinds watches what an application may have, in whatever version it was made", () =>
  withValves(async ({ held }) => {
    await held.hold("plants.example.com/v1alpha1", "Valve", never);
    assert.equal(held.view(OLD)?.resource, V1);
    await held.hold("v1", "Event", never);
    assert.equal(held.views().some(({ resource }) => resource.kind === "Event"), false);
  }));

Deno.test("Children reads and writes in the version that is named; the view has its own", () =>
  withValves(async ({ store, held, asked }) => {
    await held.find("plants.example.com/v1", "Valve", never);
    const children = new Children({ store, held });
    const key = "default/inlet";
    assert.equal(await children.read(OLD, key), undefined);
    const metadata = { name: "inlet", namespace: "default" };
    const object = { apiVersion: apiVersionOf(OLD), kind: "Valve", metadata };
    const made = await children.write(OLD, "create", object);
    assert.equal(made.apiVersion, apiVersionOf(OLD));
    assert.equal(held.view(V1)?.get(key)?.apiVersion, apiVersionOf(V1));
    asked.length = 0;
    assert.equal(await children.read(OLD, key), made, "it is known from the write");
    assert.equal((await children.read(V1, key))?.apiVersion, apiVersionOf(V1));
    assert.deepEqual(asked, []);
  }));

/** Applies a valve as an application names it. */
async function apply(
  applier: Applier,
  version: ResourceDef,
  spec: Record<string, unknown>,
): Promise<string | undefined> {
  const manifest = {
    apiVersion: apiVersionOf(version),
    kind: "Valve",
    metadata: { name: "inlet" },
  };
  const app = application({
    workloadTemplate: { manifests: [{ ...manifest, spec }] },
    workloadScope: {},
  });
  app.metadata.uid = "u1";
  const [one] = renderApplication(app, () => version);
  assert.ok(one);
  return (await applier.apply(app, one)).problem?.message;
}

Deno.test.each([["the version of the view", V1], ["another version", OLD]])(
  "Applier in %s writes what the server has in another form once, and heals it",
  (_what, version) =>
    withValves(async ({ held, leader, asked, spec, edit }) => {
      await held.find(apiVersionOf(version), "Valve", never);
      const writes = (): string[] => asked.filter((one) => !one.startsWith("get"));
      const want = { open: true, label: "" };
      const first = leader();
      for (const _ of [1, 2, 3]) assert.equal(await apply(first, version, want), undefined);
      assert.deepEqual(writes(), [`create ${version.version}`]);
      assert.deepEqual(await spec(), { open: true });

      asked.length = 0;
      const second = leader();
      for (const _ of [1, 2, 3]) await apply(second, version, want);
      assert.deepEqual(writes(), [`update ${version.version}`]);

      for (const open of [false, "half"]) {
        asked.length = 0;
        await edit({ open, theirs: 1 });
        for (const _ of [1, 2]) await apply(second, version, want);
        assert.deepEqual(await spec(), { open: true, theirs: 1 });
        assert.deepEqual(writes(), [`update ${version.version}`]);
      }
      await apply(second, version, { open: true });
      assert.deepEqual(await spec(), { open: true, theirs: 1 });
    }),
);

Deno.test("Applier follows a manifest into another version", () =>
  withValves(async ({ held, leader, spec }) => {
    await held.find(apiVersionOf(OLD), "Valve", never);
    const applier = leader();
    await apply(applier, OLD, { opening: 100 });
    await apply(applier, V1, { open: true });
    // What the old version called otherwise is not kept next to it.
    assert.deepEqual(await spec(), { open: true });
  }));
