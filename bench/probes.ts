/**
 * What probes cost: 100 pods with three probes each at 10 s periods, in one process, against a
 * server in another. Figures: `idle-percent`, the share of a core for the scheduler alone (commands
 * of a runtime that answers at once); `http-percent`, `tcp-percent`, `grpc-percent`, the same with
 * all probes asking over the network.
 */
import process from "node:process";
import type { Pod, Probe } from "../core/api/mod.ts";
import { seconds, sleep, systemClock, systemRandom } from "../core/base/mod.ts";
import type { ObservedContainer, Runtime } from "../agent/runtimes/mod.ts";
import { Prober } from "../agent/pods/probes/prober.ts";
import { conditions, print } from "./link_lib.ts";
import { figure, note, round } from "./figures_lib.ts";

const PODS = 100;
const SECONDS = Number(Deno.args[0] ?? 30);
const GOAL = 0.5;

const HEALTHY = Uint8Array.of(0, 0, 0, 0, 2, 8, 1);

/** Runs all pods with `probe` three times each. Returns the share of a core in percent. */
async function measure(probe: Probe): Promise<number> {
  let failed = 0;
  const empty = new Uint8Array();
  await using prober = new Prober({
    runtime: {
      execSync: () => Promise.resolve({ exitCode: 0, stdout: empty, stderr: empty }),
    } as Partial<Runtime> as Runtime,
    clock: systemClock,
    random: systemRandom,
    changed: () => {},
    event: () => void failed++,
  });
  for (let at = 0; at < PODS; at++) {
    const pod = podOf(`u${at}`, probe);
    const containers = pod.spec.containers.map(({ name }) => runOf(`u${at}-${name}`, name));
    const sandbox = { ready: true, ips: ["127.0.0.1"] };
    prober.follow(pod, { sandboxes: [sandbox as never], containers }, []);
  }
  // The first period starts everything; it is not counted.
  await sleep(systemClock, seconds(10));
  const before = process.cpuUsage();
  await sleep(systemClock, seconds(SECONDS));
  const { user, system } = process.cpuUsage(before);
  if (failed > 0) throw new Error(`${failed} probes failed: the figures mean nothing`);
  return round((user + system) / 1e4 / SECONDS, 2);
}

function podOf(uid: string, probe: Probe): Pod {
  const containers = ["a", "b", "c"].map((name) => ({ name, image: "i", livenessProbe: probe }));
  return { apiVersion: "v1", kind: "Pod", metadata: { name: uid, uid }, spec: { containers } };
}

function runOf(id: string, name: string): ObservedContainer {
  return { id, name, attempt: 0, state: "running" } as Partial<ObservedContainer> as never;
}

/** A server for HTTP and gRPC in a process of its own. */
async function server(): Promise<{ port: number } & AsyncDisposable> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", "-A", import.meta.filename ?? "", "serve"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return {
    port: Number(new TextDecoder().decode(value)),
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await child.stdout.cancel();
      await child.status;
    },
  };
}

async function serve(): Promise<void> {
  const running = Deno.serve(
    {
      hostname: "127.0.0.1",
      port: 0,
      onListen: ({ port }) => void Deno.stdout.writeSync(new TextEncoder().encode(`${port}`)),
    },
    ({ method }) =>
      method === "POST"
        ? new Response(HEALTHY, { headers: { "content-type": "application/grpc" } })
        : new Response("ok"),
  );
  for await (const _ of Deno.stdin.readable) { /* until it ends */ }
  await running.shutdown();
}

async function main(): Promise<void> {
  await using peer = await server();
  const { port } = peer;
  const rounds: [name: string, probe: Probe][] = [
    ["idle-percent", { exec: { command: ["true"] } }],
    ["http-percent", { httpGet: { port } }],
    ["tcp-percent", { tcpSocket: { port } }],
    ["grpc-percent", { grpc: { port } }],
  ];
  const figures = [];
  for (const [name, probe] of rounds) {
    const value = await measure(probe);
    note(`${name} ${value}`);
    figures.push(figure(name, value, "%", name === "idle-percent" ? { goal: GOAL } : {}));
  }
  print({
    bench: "probes",
    conditions: conditions({ pods: PODS, probes: 3 * PODS, seconds: SECONDS }),
    figures,
  });
}

if (import.meta.main) await (Deno.args[0] === "serve" ? serve() : main());
