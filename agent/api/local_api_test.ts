import { match, strictEqual } from "node:assert/strict";
import { RESOURCES } from "../../core/api/mod.ts";
import { hours, silentLogger, systemClock, VirtualClock } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { ensureLocalCredentials } from "./credentials.ts";
import { localApiService } from "./local_api.ts";

Deno.test("ensureLocalCredentials() makes them once, and anew for another port or near their end", async () => {
  const folder = await Deno.makeTempDir();
  const clock = new VirtualClock();
  const first = await ensureLocalCredentials(folder, 1, clock);
  strictEqual((await ensureLocalCredentials(folder, 1, clock)).ca, first.ca);
  strictEqual(((await Deno.stat(first.kubeconfig)).mode ?? 0) & 0o777, 0o600);
  const moved = await ensureLocalCredentials(folder, 2, clock);
  strictEqual(moved.ca === first.ca, false);
  match(await Deno.readTextFile(moved.kubeconfig), /https:\/\/127\.0\.0\.1:2"/);
  await clock.advance(hours(365 * 24 * 9.5));
  strictEqual((await ensureLocalCredentials(folder, 2, clock)).ca === moved.ca, false);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("localApiService() shows objects to this machine's certificate, changes nothing, refuses others", async () => {
  const folder = await Deno.makeTempDir();
  using store = openSqliteStore({ path: ":memory:", clock: systemClock });
  await store.create(RESOURCES.configmaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "settings", namespace: "default" },
  });
  using free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = free.addr.port;
  free.close();
  const credentials = await ensureLocalCredentials(folder, port, systemClock);
  const stop = new AbortController();
  const ready = Promise.withResolvers<void>();
  const running = localApiService({
    store,
    credentials,
    port,
    version: "1",
    clock: systemClock,
    log: silentLogger,
    subresources: [],
    routes: [],
    resources: [],
  }).run(stop.signal, ready.resolve);
  await ready.promise;
  const { users } = JSON.parse(await Deno.readTextFile(credentials.kubeconfig));
  const text = (base64: string): string => new TextDecoder().decode(Uint8Array.fromBase64(base64));
  const url = `https://127.0.0.1:${port}/api/v1/namespaces/default/configmaps`;
  {
    using mine = Deno.createHttpClient({
      caCerts: [credentials.ca],
      cert: text(users[0].user["client-certificate-data"]),
      key: text(users[0].user["client-key-data"]),
    });
    const list = await (await fetch(url, { client: mine })).json();
    strictEqual(list.items[0].metadata.name, "settings");
    const refused = await fetch(`${url}/settings`, { client: mine, method: "DELETE" });
    strictEqual(refused.status, 403);
    match((await refused.json()).message, /this node's API is for reading/);
    using bare = Deno.createHttpClient({ caCerts: [credentials.ca] });
    const unknown = await fetch(url, { client: bare });
    strictEqual(unknown.status, 401);
    await unknown.body?.cancel();
  }
  stop.abort();
  await running;
  await Deno.remove(folder, { recursive: true });
});
