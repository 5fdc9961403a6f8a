import { match, ok, rejects, strictEqual } from "node:assert/strict";
import { request as httpsRequest } from "node:https";
import { RESOURCES } from "../../core/api/mod.ts";
import { hours, silentLogger, systemClock, VirtualClock } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { readCertificate } from "../../core/pki/mod.ts";
import { freePort } from "../../tools/free_port.ts";
import { API_NAMES } from "../pods/mod.ts";
import { ensureLocalCredentials, type LocalCredentials } from "./credentials.ts";
import { type LocalApiPods, localApiService } from "./local_api.ts";

Deno.test("ensureLocalCredentials() makes them once, and anew for another port or near their end", async () => {
  const folder = await Deno.makeTempDir();
  const clock = new VirtualClock();
  const first = await ensureLocalCredentials(folder, 1, clock);
  strictEqual((await ensureLocalCredentials(folder, 1, clock)).ca, first.ca);
  strictEqual(((await Deno.stat(first.kubeconfig)).mode ?? 0) & 0o777, 0o600);
  const moved = await ensureLocalCredentials(folder, 2, clock);
  strictEqual(moved.ca === first.ca, false);
  match(await Deno.readTextFile(moved.kubeconfig), /https:\/\/127\.0\.0\.1:2"/);
  const { altNames } = readCertificate(moved.serving.certificate);
  for (const name of API_NAMES) match(altNames.join(), new RegExp(`DNS:${name}(,|$)`));
  // Of an agent that did not serve pods yet: readable, lasting, without the names.
  await Deno.copyFile(`${folder}/ca.crt`, `${folder}/serving.crt`);
  const named = await ensureLocalCredentials(folder, 2, clock);
  strictEqual(named.ca === moved.ca, false);
  await clock.advance(hours(365 * 24 * 9.5));
  strictEqual((await ensureLocalCredentials(folder, 2, clock)).ca === named.ca, false);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("localApiService() shows objects to this machine's certificate, changes nothing, refuses others", async () => {
  await using api = await serve({});
  await api.store.create(RESOURCES.configmaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "settings", namespace: "default" },
  });
  const { ca } = api.credentials;
  const url = `https://127.0.0.1:${api.port}/api/v1/namespaces/default/configmaps`;
  {
    using mine = Deno.createHttpClient({ caCerts: [ca], ...await api.admin() });
    const list = await (await fetch(url, { client: mine })).json();
    strictEqual(list.items[0].metadata.name, "settings");
    const refused = await fetch(`${url}/settings`, { client: mine, method: "DELETE" });
    strictEqual(refused.status, 403);
    match((await refused.json()).message, /this node's API is for reading/);
    using bare = Deno.createHttpClient({ caCerts: [ca] });
    const unknown = await fetch(url, { client: bare });
    strictEqual(unknown.status, 401);
    await unknown.body?.cancel();
  }
});

Deno.test("localApiService() takes pods by their tokens, and a machine's certificate on the machine only", async () => {
  const own = Deno.networkInterfaces().find(({ address, family }) =>
    family === "IPv4" && !address.startsWith("127.")
  )?.address;
  const pods: LocalApiPods = {
    hasAddress: () => false,
    handler: () => Promise.resolve(() => Promise.resolve(new Response("for a pod"))),
  };
  await using api = await serve({ pods });
  const admin = await api.admin();
  const path = "/api/v1/namespaces";
  strictEqual((await api.ask("127.0.0.1", { path, ...admin })).code, 200);
  const token = { headers: { authorization: "Bearer x" } };
  strictEqual((await api.ask("127.0.0.1", { path, ...token })).body, "for a pod");
  strictEqual((await api.ask("127.0.0.1", { path })).code, 401);
  ok(own, "this machine has an address");
  // From itself, as a pod in the host's network: the address is the machine's own.
  strictEqual((await api.ask(own, { path, ...token })).body, "for a pod");
  strictEqual((await api.ask(own, { path, ...admin })).code, 401);
});

Deno.test("localApiService() without pods listens on the loopback alone, and refuses every token", async () => {
  await using api = await serve({});
  const headers = { authorization: "Bearer x" };
  strictEqual((await api.ask("127.0.0.1", { path: "/version", headers })).code, 401);
  const own = Deno.networkInterfaces().find(({ address, family }) =>
    family === "IPv4" && !address.startsWith("127.")
  )?.address;
  ok(own, "this machine has an address");
  await rejects(api.ask(own, { path: "/version" }), /ECONNREFUSED|refused/);
});

interface Asked {
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly cert?: string;
  readonly key?: string;
}

/** The service, and a client of it. */
async function serve(more: { readonly pods?: LocalApiPods }) {
  const folder = await Deno.makeTempDir();
  const store = openSqliteStore({ path: ":memory:", clock: systemClock });
  const port = freePort();
  const credentials = await ensureLocalCredentials(folder, port, systemClock);
  const stop = new AbortController();
  const ready = Promise.withResolvers<void>();
  const running = localApiService({
    ...{ store, credentials, port, clock: systemClock, log: silentLogger, version: "1" },
    ...{ subresources: [], routes: [], resources: [], ...more },
  }).run(stop.signal, ready.resolve);
  await ready.promise;
  return {
    store,
    credentials,
    port,
    admin: () => adminOf(credentials),
    ask: (host: string, { path, headers = {}, cert, key }: Asked) =>
      new Promise<{ code: number; body: string }>((resolve, reject) => {
        const request = httpsRequest({
          ...{ host, port, path, headers, agent: false, servername: "localhost" },
          ca: credentials.ca,
          ...(cert && key ? { cert, key } : {}),
        }, (answer) => {
          let body = "";
          answer.on("data", (chunk) => body += chunk);
          answer.on("end", () => resolve({ code: answer.statusCode ?? 0, body }));
        });
        request.on("error", reject);
        request.end();
      }),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      store[Symbol.dispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function adminOf({ kubeconfig }: LocalCredentials): Promise<{ cert: string; key: string }> {
  const { users } = JSON.parse(await Deno.readTextFile(kubeconfig));
  const text = (base64: string): string => new TextDecoder().decode(Uint8Array.fromBase64(base64));
  const { user } = users[0];
  return { cert: text(user["client-certificate-data"]), key: text(user["client-key-data"]) };
}
