import { hours, type NodeName, systemClock } from "../core/base/mod.ts";
import {
  createKey,
  type Credential,
  issueCa,
  issueCertificate,
  loadKeyPair,
  nodeSubject,
} from "../core/pki/mod.ts";

/** The certificates of one bench run. */
export interface Identities {
  readonly ca: Credential;
  readonly server: Credential;
}

/** A CA and a serving certificate for loopback. */
export async function makeIdentities(): Promise<Identities> {
  const now = systemClock.now();
  const keyPem = await createKey();
  const certificate = await issueCa({ keyPem, commonName: "bench", now, lifetime: hours(24) });
  const ca = { certificate, key: keyPem };
  return { ca, server: await issue(ca, undefined) };
}

/** A certificate for a node, or for the hub. */
export async function issue(ca: Credential, node: string | undefined): Promise<Credential> {
  const key = await createKey();
  const { publicKey } = await loadKeyPair(key);
  const subject = node === undefined
    ? { commonName: "hub", organizations: [] }
    : nodeSubject(node as NodeName);
  const certificate = await issueCertificate({
    ca,
    subject,
    publicKey,
    use: node === undefined ? "server" : "client",
    altNames: node === undefined ? ["127.0.0.1"] : [],
    now: systemClock.now(),
    lifetime: hours(24),
  });
  return { certificate, key };
}

/** A child process of a bench that is asked by lines of text and answers with lines of JSON. */
export class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;

  constructor(script: string, args: readonly string[]) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--frozen",
        "-A",
        new URL(script, import.meta.url).pathname,
        ...args,
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#lines = lines(this.#process.stdout);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The next line that it prints. */
  async next<T>(): Promise<T> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error("the child has ended");
    return JSON.parse(value) as T;
  }

  /** Sends a line and waits for the answer. */
  async ask<T>(line: string): Promise<T> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
    return await this.next<T>();
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#writer.abort().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.kill();
    } catch {
      // It has ended by itself.
    }
  }
}

/** Lines of text of a stream of bytes. */
export async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream() as never)) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

/** What a process costs now. */
export interface Cost {
  /** KiB of proportional memory. */
  readonly pss: number;
  /** KiB of anonymous memory. */
  readonly anonymous: number;
  /** Seconds of CPU since its start. */
  readonly cpu: number;
}

/** Reads what a process costs from /proc. */
export function costOf(pid: number): Cost {
  const rollup = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(rollup)?.[1]);
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /, "").split(" ");
  const ticks = Number(stat[11]) + Number(stat[12]);
  return { pss: field("Pss"), anonymous: field("Anonymous"), cpu: ticks / 100 };
}

/** The middle and the 99th percentile. */
export function percentiles(values: readonly number[]): { p50: number; p99: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Machine and versions, for the record. */
export function conditions(extra: Record<string, unknown>): Record<string, unknown> {
  const cpu = /model name\s*:\s*(.*)/.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1];
  return {
    deno: Deno.version.deno,
    cpu: cpu ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    kernel: Deno.osRelease(),
    agent: "one file",
    ...extra,
  };
}

/** Prints one line. */
export function print(value: unknown): void {
  // deno-lint-ignore no-console -- the bench's output
  console.log(JSON.stringify(value));
}
