/** Clients of streams for end-to-end tests: kubectl with pipes or a terminal, and what they leave. */
import type { ApiClient } from "../../cli/client.ts";
import { type AgentAt, type HubAt, podOf, type Site } from "./gateway_lib.ts";
import { ROOT, signalId, until } from "./gateway_process_lib.ts";

/** Which protocols kubectl is told to speak. */
export const PROTOCOLS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  WebSocket: {
    KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "true",
    KUBECTL_PORT_FORWARD_WEBSOCKETS: "true",
  },
  SPDY: {
    KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false",
    KUBECTL_PORT_FORWARD_WEBSOCKETS: "false",
  },
};

/** A program that is talked to while it runs. */
export class Talk implements AsyncDisposable {
  readonly pid: number;
  readonly ended: Promise<number>;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #read: Promise<void>[];
  readonly #command: string;
  #code: number | undefined;
  /** Bytes of standard output, and its text as far as it was kept. */
  size = 0;
  out = "";
  err = "";

  constructor(command: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [program = "false", ...args] = command;
    this.#command = command.join(" ");
    this.#child = new Deno.Command(program, {
      args,
      cwd: ROOT,
      env: { npm_command: "", ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#child.pid;
    this.#writer = this.#child.stdin.getWriter();
    this.#read = [
      this.#keep(this.#child.stdout, (text, size) => {
        this.size += size;
        if (this.out.length < 1_000_000) this.out += text;
      }),
      this.#keep(this.#child.stderr, (text) => this.err += text),
    ];
    this.ended = this.#child.status.then(async ({ code }) => {
      await Promise.all(this.#read);
      return this.#code = code;
    });
  }

  async #keep(
    stream: ReadableStream<Uint8Array>,
    keep: (text: string, size: number) => void,
  ): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      keep(decoder.decode(chunk, { stream: true }), chunk.byteLength);
    }
  }

  /** Writes to its standard input. */
  async say(data: string | Uint8Array): Promise<void> {
    await this.#writer.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
  }

  /** Ends its standard input. */
  async hush(): Promise<void> {
    await this.#writer.close().catch(() => {});
  }

  /** Waits until its output holds what `pattern` matches. @throws {Error} with all that it said */
  async says(pattern: RegExp, limit = 60): Promise<RegExpExecArray> {
    return await until(`${this.#command} says ${pattern}: ${this.err}`, () => {
      const found = pattern.exec(this.out);
      if (found === null && this.#code !== undefined) {
        throw new Error(`ended with ${this.#code}: ${this.out}${this.err}`);
      }
      return found;
    }, limit);
  }

  /** Its exit code, once it has one. @throws {Error} when it still runs after `limit` seconds */
  async exit(limit = 60): Promise<number> {
    await until(
      `${this.#command} ends: ${this.out.slice(-500)}${this.err}`,
      () => this.#code !== undefined,
      limit,
    );
    return this.#code ?? -1;
  }

  /** Ends it at once, as a power cut would. */
  async kill(): Promise<void> {
    signalId(this.pid, "SIGKILL");
    await this.hush();
    await this.ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** Starts kubectl with pipes. */
export function talk(
  site: Site,
  kubeconfig: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Talk {
  return site.hold(new Talk(site.kubectlCommand(kubeconfig, args), { HOME: site.folder, ...env }));
}

/** Starts a shell script with a terminal of its own; `$KUBECTL` in it is kubectl with its options. */
export function talkInTerminal(
  site: Site,
  kubeconfig: string,
  script: string,
  env: Readonly<Record<string, string>> = {},
): Talk {
  const kubectl = site.kubectlCommand(kubeconfig, []).join(" ");
  return site.hold(
    new Talk(["script", "--quiet", "--return", "--flush", "--command", script, "/dev/null"], {
      HOME: site.folder,
      KUBECTL: kubectl,
      SHELL: "/bin/sh",
      TERM: "xterm",
      ...env,
    }),
  );
}

/** SHA-256 in hex. */
export async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
}

/** Bytes that compress badly and are the same each time. */
export function noise(size: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = 0x9e3779b9;
  for (let at = 0; at < words.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return new Uint8Array(words.buffer, 0, size);
}

async function gauge(port: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)`, "m").exec(text)?.[1] ?? Number.NaN);
}

/** How many streams hub and agent count as open; absent parts count none. */
export async function openStreams(site: Site, agent: AgentAt, hub?: HubAt): Promise<number> {
  const atHub = hub ? await gauge(site.port("hub-metrics"), "skerry_hub_streams") : 0;
  return atHub + await gauge(agent.metricsPort, "skerry_agent_streams");
}

/** Ids of the processes of this machine, containers included, whose command line holds `words`. */
export async function processesWith(words: string): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const line = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    if (line.replaceAll("\0", " ").includes(words)) found.push(Number(name));
  }
  return found;
}

/** Waits until a pod of `default` is gone at an API. */
export async function podGone(client: ApiClient, name: string): Promise<void> {
  await until(`pod ${name} is gone`, async () => await podOf(client, name) === undefined);
}
