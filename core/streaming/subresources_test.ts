import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { RESOURCE_LIST, RESOURCES } from "../api/mod.ts";
import { AppError, ms, silentLogger, VirtualClock } from "../base/mod.ts";
import { type Api, createApi, createAuthenticate, rbacLike, type Upgrade } from "../http/mod.ts";
import { openSqliteStore } from "../store/mod.ts";
import type { ByteChannel } from "../wire/mod.ts";
import { channelPair } from "../wire/testing.ts";
import type { DialPod } from "./serve.ts";
import { streamSubresources } from "./subresources.ts";

const POD = "/api/v1/namespaces/default/pods/web";
const EXEC = `${POD}/exec?command=ls&stdout=true`;
const SPDY = { upgrade: "SPDY/3.1", "x-stream-protocol-version": "v4.channel.k8s.io" };

interface Place extends Disposable {
  ask(path: string, as: string, upgrade?: Upgrade, method?: string): Promise<[number, string]>;
}

async function place(dial: DialPod): Promise<Place> {
  const clock = new VirtualClock();
  const store = openSqliteStore({ path: ":memory:", clock });
  await store.create(RESOURCES.pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "default" },
    spec: { nodeName: "n1", containers: [{ name: "main", image: "i" }] },
  });
  const api: Api = createApi({
    store,
    resources: RESOURCE_LIST,
    authenticate: createAuthenticate(),
    authorize: rbacLike(),
    clock,
    log: silentLogger,
    version: "0.1.0",
    limits: { watchesPerUser: 1 },
    extensions: { subresources: streamSubresources(dial, clock) },
  });
  return {
    async ask(path, as, upgrade, method = "POST") {
      const headers = upgrade ? SPDY : {};
      const peer = {
        commonName: "x",
        organizations: [as],
        fingerprint: "f",
        issuedAt: ms(0),
        serialNumber: "1",
      };
      const response = await api.fetch(new Request(`https://hub${path}`, { method, headers }), {
        signal: new AbortController().signal,
        peer,
        ...(upgrade ? { upgrade } : {}),
      });
      return [response.status, await response.text()];
    },
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}

function accepting(): { upgrade: Upgrade; client: ByteChannel; heads: unknown[] } {
  const [client, ours] = channelPair();
  const heads: unknown[] = [];
  return {
    client,
    heads,
    upgrade: {
      accept: (headers) => {
        heads.push(headers);
        return ours;
      },
    },
  };
}

const never: DialPod = () => Promise.reject(new AppError("InternalError", "dialled"));

Deno.test("streamSubresources() need the verb create, by GET as well, and an upgrade", async () => {
  using at = await place(never);
  for (const verb of ["exec", "attach", "portforward"]) {
    for (const method of ["GET", "POST"]) {
      const path = `${POD}/${verb}?command=ls&stdout=true`;
      const { upgrade, heads } = accepting();
      const [code, text] = await at.ask(path, "skerry:viewers", upgrade, method);
      strictEqual(code, 403);
      match(text, /cannot create resource/);
      strictEqual((await at.ask(path, "system:nodes", upgrade, method))[0], 403);
      const [plain, why] = await at.ask(path, "system:masters", undefined, method);
      deepStrictEqual([plain, JSON.parse(why).message], [400, "Upgrade request required"]);
      deepStrictEqual(heads, []);
    }
  }
});

Deno.test("streamSubresources() answer refusals as a Status, before anything is upgraded", async () => {
  using at = await place(() => Promise.reject(new AppError("BadRequest", "is not running")));
  const { upgrade, heads } = accepting();
  const [code, text] = await at.ask(EXEC, "system:masters", upgrade);
  deepStrictEqual([code, JSON.parse(text).message], [400, "is not running"]);
  const missing = await at.ask(EXEC.replace("web", "none"), "system:masters", upgrade);
  strictEqual(missing[0], 404);
  deepStrictEqual(heads, []);
});

Deno.test("streamSubresources() carry bytes, and count as long as they run", async () => {
  const [ours, server] = channelPair();
  const offers: unknown[] = [];
  using at = await place((pod, target, offer) => {
    offers.push([pod.metadata.name, target.kind, offer]);
    return Promise.resolve({ protocol: "v4.channel.k8s.io", channel: ours });
  });
  const { upgrade, client, heads } = accepting();
  const serving = at.ask(EXEC, "system:masters", upgrade);
  await client.write(new TextEncoder().encode("up"));
  strictEqual(new TextDecoder().decode(await server.read()), "up");
  strictEqual((await at.ask(EXEC, "system:masters", upgrade))[0], 429);
  await server.write(new TextEncoder().encode("down"));
  server.close();
  strictEqual(new TextDecoder().decode(await client.read()), "down");
  client.close();
  await serving;
  deepStrictEqual(offers, [["web", "remote-command", {
    upgrade: "SPDY/3.1",
    protocols: ["v4.channel.k8s.io"],
  }]]);
  deepStrictEqual(heads, [{
    upgrade: "SPDY/3.1",
    "x-stream-protocol-version": "v4.channel.k8s.io",
  }]);
  strictEqual((await at.ask(EXEC, "system:masters"))[0], 400);
});
