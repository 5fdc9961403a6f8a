import assert from "node:assert/strict";
import { isAppError, systemClock } from "../base/mod.ts";
import { RESOURCES } from "../api/mod.ts";
import type { Handler } from "../http/mod.ts";
import { until } from "../http/testing.ts";
import { KubeClient } from "./client.ts";
import { RemoteStore } from "./remote_store.ts";
import { VersionMark } from "./version_mark.ts";
import { FakeApiServer, json, status } from "./testing.ts";

const { configmaps } = RESOURCES;

/** Runs `body` with a store on a server that `handler` plays. */
async function withStore(
  handler: (url: URL, ...rest: Parameters<Handler>) => Response,
  body: (store: RemoteStore) => Promise<void>,
  mark?: VersionMark,
): Promise<void> {
  await using server = await FakeApiServer.start((request, info) =>
    Promise.resolve(handler(new URL(request.url), request, info))
  );
  const random = () => 0;
  using client = new KubeClient({ endpoint: server.endpoint, clock: systemClock, random });
  const more = mark ? { mark } : {};
  await body(new RemoteStore({ client, clock: systemClock, random, ...more }));
}

const named = (name: string) => ({ metadata: { name, namespace: "a", resourceVersion: "1" } });

Deno.test("list() begins anew when the server forgets its version between pages", async () => {
  let round = 0;
  await withStore((url) => {
    if (url.searchParams.get("continue") === "old") return status(410, "Expired");
    if (url.searchParams.get("continue") === "new") {
      return json({ metadata: { resourceVersion: "9" }, items: [named("b")] });
    }
    const token = ++round < 3 ? "old" : "new";
    return json({ metadata: { resourceVersion: "9", continue: token }, items: [named("a")] });
  }, async (store) => {
    const { items, resourceVersion } = await store.list(configmaps);
    assert.deepEqual(items.map(({ metadata }) => metadata.name), ["a", "b"]);
    assert.equal(resourceVersion, "9");
    round = -10;
    await assert.rejects(store.list(configmaps), (error) => isAppError(error, "Expired"));
    assert.equal(round, -7, "three times, no more");
  });
});

Deno.test("list() asks for fewer objects when those of a page are too large for one answer", async () => {
  const limits: string[] = [];
  await withStore((url) => {
    const limit = url.searchParams.get("limit") ?? "";
    limits.push(limit);
    return Number(limit) > 5
      ? status(413, "RequestEntityTooLarge")
      : json({ metadata: { resourceVersion: "9" }, items: [named("a")] });
  }, async (store) => {
    assert.equal((await store.list(configmaps)).items.length, 1);
    assert.deepEqual(limits, ["500", "50", "5"]);
  });
});

Deno.test("watch() refuses a version that a restored server has not reached, and says so", async () => {
  await withStore(
    () => json({ metadata: { resourceVersion: "100" }, items: [] }),
    async (store) => {
      await assert.rejects(
        store.watch(configmaps, { resourceVersion: "101" }),
        (error) =>
          isAppError(error, "Expired") &&
          /version 101 of configmaps is not of the server's history, which is at 100/.test(
            error.message,
          ),
      );
    },
  );
});

Deno.test("get() of an object that a proxy hides is not NotFound", async () => {
  await withStore(
    (url) =>
      url.pathname.endsWith("/gone")
        ? status(404, "NotFound")
        : new Response("default backend - 404", { status: 404 }),
    async (store) => {
      const ref = (name: string) => ({ resource: configmaps, namespace: "a", name });
      await assert.rejects(store.get(ref("gone")), (error) => isAppError(error, "NotFound"));
      await assert.rejects(
        store.get(ref("hidden")),
        (error) => isAppError(error, "ServiceUnavailable"),
      );
    },
  );
});

Deno.test("watch() of a restored server goes on from what it shows now, however far back that is", async () => {
  let version = 100;
  const opened: (string | null)[] = [];
  const mark = new VersionMark(() => {});
  await withStore((url) => {
    if (!url.searchParams.has("watch")) {
      return json({ metadata: { resourceVersion: String(version) }, items: [] });
    }
    opened.push(url.searchParams.get("resourceVersion"));
    return new Response(new ReadableStream());
  }, async (store) => {
    const goOn = async (from?: string): Promise<void> => {
      using watch = await store.watch(configmaps, from ? { resourceVersion: from } : {});
      if (from) return;
      const before = opened.length;
      await watch[Symbol.asyncIterator]().next();
      await until("it is open", () => opened.length > before || undefined);
    };
    await goOn();
    version = 60;
    await assert.rejects(goOn("100"), (error) => isAppError(error, "Expired"));
    await goOn();
    version = 110;
    await assert.rejects(goOn("100"), (error) => isAppError(error, "Expired"), "reached by now");
    await goOn("110");
    assert.deepEqual(opened, ["100", "60", "110"]);
  }, mark);
});

const NO_OBJECTS: unknown[] = [null, [], "x", 7, {}, { metadata: null }, { metadata: { name: 7 } }];

Deno.test("an answer that is no object is told as what it is, by all that RemoteStore asks for", async () => {
  let answer: unknown;
  await withStore(() => json(answer), async (store) => {
    const ref = { resource: configmaps, namespace: "a", name: "a" };
    const object = { apiVersion: "v1", kind: "ConfigMap", ...named("a") };
    for (answer of NO_OBJECTS) {
      const told = (promise: Promise<unknown>, shape: string): Promise<void> =>
        assert.rejects(promise, (error) => {
          assert.ok(isAppError(error, "ServiceUnavailable"), String(error));
          const said = `with ${JSON.stringify(answer)}, which is no ${shape}`;
          assert.ok(error.message.includes(said), error.message);
          assert.match(error.message, /^https:.* answered (GET|POST|PATCH|DELETE) \/api\/v1\//);
          return true;
        });
      await told(store.get(ref), "object with a name");
      await told(store.create(configmaps, object), "object with a name");
      await told(
        store.update(ref, (one) => ({ ...one, data: { a: "b" } }), { from: object }),
        "object with a name",
      );
      await told(store.delete(ref), "object with a name, and no Status");
      await told(store.list(configmaps), "list of objects");
      await told(store.watch(configmaps), "list of objects");
    }
    for (const items of [[null], "x", [[]], [{}]]) {
      answer = { metadata: { resourceVersion: "1" }, items };
      await assert.rejects(store.list(configmaps), /which is no list of objects/);
    }
    answer = { metadata: { resourceVersion: "1" }, items: null };
    assert.deepEqual((await store.list(configmaps)).items, []);
  });
});
