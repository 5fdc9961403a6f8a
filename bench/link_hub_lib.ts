/**
 * The hub process of `bench/link.ts` and `bench/watch.ts`: the real hub room on the real HTTPS
 * server, over a SQLite file. Commands on standard input: `nodes`, `wait N`, `put VALUE`, `gc`.
 */
import { createLogger, systemClock, systemRandom } from "../core/base/mod.ts";
import { Views } from "../core/control/mod.ts";
import { RESOURCES } from "../core/api/mod.ts";
import { serveHttps } from "../core/http/mod.ts";
import { LINK, loadWsAcceptor } from "../core/link/mod.ts";
import { openSqliteStore } from "../core/store/mod.ts";
import { createHub } from "../cloud/hub/mod.ts";
import { type Identities, lines, print } from "./link_lib.ts";

const [folder = "", port = "0", change] = Deno.args;
const identities = JSON.parse(await Deno.readTextFile(`${folder}/identities.json`)) as Identities;
const clock = systemClock;
const log = createLogger({ level: "warn" });
const store = openSqliteStore({ path: `${folder}/hub.db`, clock, log });
const configMap = { resource: RESOURCES.configmaps, namespace: "default", name: "bench" };
const put = async (value: string): Promise<void> => {
  await store.update(configMap, (current) => ({ ...current, data: { value } }));
};
if (change) await put(change);

let waiting: { count: number; done: () => void } | undefined;
const parts = { store, clock, random: systemRandom, log };
const views = new Views(parts);
const hub = createHub({
  ...parts,
  views,
  version: "bench",
  identities: { check: () => Promise.resolve({ ok: true }) },
  onLink: () => {
    if (waiting && hub.nodes().length >= waiting.count) waiting.done();
  },
});
const acceptor = await loadWsAcceptor();
acceptor.onConnection((connection, path) => hub.accept(connection, path));
const stop = new AbortController();
void views.run(stop.signal);
void hub.run(stop.signal, () => {});
const server = await serveHttps({
  cert: identities.server.certificate,
  key: identities.server.key,
  clientCa: identities.ca.certificate,
  hostname: "127.0.0.1",
  port: Number(port),
  handler: () => Promise.resolve(new Response("bench", { status: 404 })),
  onUpgrade: (message, socket, head, { peer }) => {
    const name = peer?.commonName?.replace("system:node:", "");
    if (!peer || !name) return void socket.destroy();
    const remote = "127.0.0.1";
    acceptor.upgrade(message, socket, head, { name, fingerprint: peer.fingerprint, remote });
  },
  clock,
  log,
  signal: stop.signal,
  // As on the port for nodes.
  maxConnections: LINK.connections,
  timeouts: { handshake: LINK.answerTimeout, head: LINK.answerTimeout },
});
print({ port: server.port, ready: clock.now() });

for await (const line of lines(Deno.stdin.readable)) {
  const [command, argument = ""] = line.split(" ");
  if (command === "nodes") print(hub.nodes().length);
  else if (command === "put") {
    const at = performance.timeOrigin + performance.now();
    await put(argument);
    print({ at });
  } else if (command === "wait") {
    const count = Number(argument);
    await new Promise<void>((resolve) => {
      waiting = { count, done: resolve };
      if (hub.nodes().length >= count) resolve();
    });
    print({ at: clock.now() });
  } else print({});
}
