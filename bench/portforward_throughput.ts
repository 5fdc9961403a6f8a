/**
 * How fast bytes come through `kubectl port-forward` by the hub (MB/s, MB = 10^6), one download and
 * eight at once, beside a plain pipe between two sockets in a Deno process of its own in the same run.
 *
 * `deno task bench portforward-throughput [MEGABYTES]`. The pod serves a file of zeros by HTTP.
 */
import { seconds, systemClock } from "../core/base/mod.ts";
import { findKubectl } from "../tools/kubectl.ts";
import { figure, loadNow, round } from "./figures_lib.ts";
import { conditions, lines, print } from "./link_lib.ts";
import { benchPod, PODS, PodStand } from "./pods_lib.ts";
import { freePort } from "../tools/free_port.ts";

const MEGABYTES = Number(Deno.args[0] ?? 100);
const ROUNDS = 5;
const AT_ONCE = 8;
const POD_PORT = 9000;

/** Bytes of an answer of HTTP before its body, at most. */
const HEAD = 1000;
/** Longest time of a download. */
const LIMIT = seconds(60);

/** Bytes of one answer until its end. @throws {Error} when it does not end in time */
async function download(port: number): Promise<number> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  using _limit = systemClock.timer(LIMIT, () => conn.close());
  await conn.write(new TextEncoder().encode("GET /zeros HTTP/1.0\r\n\r\n"));
  let bytes = 0;
  const buffer = new Uint8Array(256 * 1024);
  for (let count = await conn.read(buffer); count; count = await conn.read(buffer)) bytes += count;
  return bytes;
}

/** MB/s over `count` downloads at once. @throws {Error} when a byte is missing */
async function rate(port: number, count: number): Promise<number> {
  const from = systemClock.monotonic();
  const all = await Promise.all(Array.from({ length: count }, () => download(port)));
  const wanted = MEGABYTES * 1e6;
  if (all.some((bytes) => bytes <= wanted || bytes > wanted + HEAD)) {
    throw new Error(`got ${all}, each is ${wanted} bytes and a head`);
  }
  return wanted * count / 1e3 / (systemClock.monotonic() - from);
}

/** A program that runs beside the bench. */
interface Beside {
  /** The first line that it printed. */
  readonly line: string;
  stop(): Promise<void>;
}

/** Starts a program and resolves with its first line; what it prints later is read and dropped. */
async function start(program: string, args: readonly string[]): Promise<Beside> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdout: "piped",
    stderr: "inherit",
    stdin: "null",
  }).spawn();
  const first = Promise.withResolvers<string>();
  const read = (async () => {
    for await (const line of lines(child.stdout)) first.resolve(line);
    first.reject(new Error(`${program} has ended`));
  })();
  first.promise.catch(() => {});
  return {
    line: await first.promise,
    async stop() {
      child.kill("SIGTERM");
      await child.status;
      await read;
    },
  };
}

const PIPE = (target: string): string => `
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(listener.addr.port);
for await (const conn of listener) (async () => {
  const to = await Deno.connect({ hostname: "${target}", port: ${POD_PORT} });
  await Promise.allSettled([to.readable.pipeTo(conn.writable), conn.readable.pipeTo(to.writable)]);
})();`;

async function main(): Promise<void> {
  const load = loadNow();
  const kubectl = await findKubectl();
  await using bench = await PodStand.open();
  const { stand } = bench;
  const base = benchPod("sends");
  const [container] = base.spec.containers;
  const script = `mkdir /www && dd if=/dev/zero of=/www/zeros bs=1000000 count=${MEGABYTES} && ` +
    `exec httpd -f -p ${POD_PORT} -h /www`;
  const command = ["sh", "-c", script];
  await stand.runPods([{
    ...base,
    spec: {
      ...base.spec,
      containers: [{ ...container, name: "c", image: container?.image ?? "", command }],
    },
  }]);
  const { items } = await stand.api.request("GET", PODS);
  const pipe = await start(Deno.execPath(), ["eval", "--quiet", PIPE(items[0].status.podIP)]);
  const port = freePort();
  const forward = await start(kubectl, [
    `--kubeconfig=${stand.folder}/hub/admin.kubeconfig`,
    ...["port-forward", "pod/sends", `${port}:${POD_PORT}`, "--address=127.0.0.1"],
  ]);
  try {
    const times: Record<string, number[]> = { one: [], many: [], pipe: [], pipes: [] };
    for (let turn = 0; turn < ROUNDS; turn++) {
      times["one"]?.push(await rate(port, 1));
      times["pipe"]?.push(await rate(Number(pipe.line), 1));
      times["many"]?.push(await rate(port, AT_ONCE));
      times["pipes"]?.push(await rate(Number(pipe.line), AT_ONCE));
    }
    const median = (name: string): number =>
      round(times[name]?.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? 0, 1);
    const beside = (name: string): { beside: { name: string; value: number } } => ({
      beside: { name: "a plain pipe of sockets in Deno", value: median(name) },
    });
    print({
      bench: "portforward-throughput",
      conditions: conditions({ load, loadAtEnd: loadNow(), megabytes: MEGABYTES, rounds: ROUNDS }),
      figures: [
        figure("one", median("one"), "MB/s", beside("pipe")),
        figure(`at-once-${AT_ONCE}`, median("many"), "MB/s", beside("pipes")),
      ],
    });
  } finally {
    await forward.stop();
    await pipe.stop();
  }
}

await main();
