import {
  type Clock,
  deadline,
  errorText,
  hostAndPort,
  isAppError,
  type Ms,
} from "../../../core/base/mod.ts";
import type { Runtime } from "../../runtimes/mod.ts";
import { connectTcp, type Endpoint } from "./connection.ts";
import { grpcLate, grpcProbe } from "./grpc_probe.ts";
import { goDuration } from "../policy/go_duration.ts";
import { urlOf } from "./http_get.ts";
import { httpProbe } from "./http_probe.ts";
import { connectionWords, type ProbeOutcome } from "./outcome.ts";
import type { ProbeHandler } from "./spec.ts";

/** Where a pod is asked. */
export interface PodAddress {
  /** Empty while it has none. */
  readonly host: string;
  /** What its owner should know of this address when the answer is bad. */
  readonly aside?: string;
}

/** Who is asked. */
export interface AskTarget {
  readonly containerId: string;
  /** Where it is asked whose probe names no host. */
  readonly address: PodAddress;
}

type NetHandler = Exclude<ProbeHandler, { type: "exec" | "none" }>;

/** As much of a command's output as the kubelet keeps. */
const OUTPUT_CAP = 10 * 1024;

/** Asks containers how they are: by command, HTTP, TCP or gRPC. Keeps no connection. */
export class Asker implements Disposable {
  readonly #runtime: Runtime;
  readonly #clock: Clock;
  #client: Deno.HttpClient | undefined;

  constructor(options: { readonly runtime: Runtime; readonly clock: Clock }) {
    this.#runtime = options.runtime;
    this.#clock = options.clock;
  }

  /** Asks once, `timeout` at most. Rejects only when `signal` aborts. */
  async ask(
    question: { readonly handler: ProbeHandler; readonly timeout: Ms },
    target: AskTarget,
    signal: AbortSignal,
  ): Promise<ProbeOutcome> {
    const { handler, timeout } = question;
    if (handler.type === "none") return { result: "error", output: handler.why };
    if (handler.type === "exec") {
      return await this.#exec(target.containerId, { ...handler, timeout }, signal);
    }
    const own = "host" in handler ? handler.host : "";
    const { host, aside } = own === "" ? target.address : { host: own };
    if (host === "") return { result: "error", output: "the pod has no address" };
    const to = { hostname: host, port: handler.port };
    const outcome = await this.#inTime(handler, to, { timeout, signal });
    return outcome.result === "failure" && aside
      ? { ...outcome, output: `${outcome.output} (${aside})` }
      : outcome;
  }

  [Symbol.dispose](): void {
    this.#client?.close();
    this.#client = undefined;
  }

  async #inTime(
    handler: NetHandler,
    to: Endpoint,
    { timeout, signal }: { readonly timeout: Ms; readonly signal: AbortSignal },
  ): Promise<ProbeOutcome> {
    using limit = deadline(this.#clock, timeout, () => new Error("too late"), signal);
    try {
      return await this.#net(handler, to, { timeout, signal: limit.signal });
    } catch (error) {
      signal.throwIfAborted();
      if (limit.signal.aborted) {
        return { result: "failure", output: lateWords(handler, to, timeout) };
      }
      return error instanceof Deno.errors.NotCapable
        ? { result: "error", output: refusedWords(to) }
        : { result: "failure", output: errorText(error) };
    }
  }

  async #exec(
    containerId: string,
    question: { readonly command: readonly string[]; readonly timeout: Ms },
    signal: AbortSignal,
  ): Promise<ProbeOutcome> {
    const { command, timeout } = question;
    try {
      const done = await this.#runtime.execSync(containerId, command, timeout, signal);
      const decoder = new TextDecoder();
      const output = decoder.decode(done.stdout) + decoder.decode(done.stderr);
      return {
        result: done.exitCode === 0 ? "success" : "failure",
        output: output.slice(0, OUTPUT_CAP),
      };
    } catch (error) {
      signal.throwIfAborted();
      if (isAppError(error, "Timeout")) {
        const text = JSON.stringify(command.join(" "));
        const output = `command timed out: ${text} timed out after ${goDuration(timeout)}`;
        return { result: "failure", output };
      }
      // The node's own condition tells of a runtime that is away.
      const result = isAppError(error, "ServiceUnavailable") ? "away" : "error";
      return { result, output: errorText(error) };
    }
  }

  async #net(
    handler: NetHandler,
    to: Endpoint,
    limit: { readonly timeout: Ms; readonly signal: AbortSignal },
  ): Promise<ProbeOutcome> {
    switch (handler.type) {
      case "http":
        return await httpProbe({ ...handler, hostname: to.hostname }, limit.signal);
      case "tcp":
        return await tcpProbe(to, limit.signal);
      case "grpc": {
        this.#client ??= Deno.createHttpClient({
          http1: false,
          http2: true,
          poolMaxIdlePerHost: 0,
        });
        return await grpcProbe(to, handler.service, { ...limit, client: this.#client });
      }
    }
  }
}

async function tcpProbe(to: Endpoint, signal: AbortSignal): Promise<ProbeOutcome> {
  try {
    using _connection = await connectTcp(to, signal);
    return { result: "success", output: "" };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Deno.errors.NotCapable) throw error;
    const output = connectionWords(error, hostAndPort(to.hostname, to.port));
    return { result: "failure", output };
  }
}

function lateWords(handler: NetHandler, to: Endpoint, timeout: Ms): string {
  switch (handler.type) {
    case "http": {
      const url = urlOf({ ...handler, ...to });
      return `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`;
    }
    case "tcp":
      return `dial tcp ${hostAndPort(to.hostname, to.port)}: i/o timeout`;
    case "grpc":
      return grpcLate(to, timeout);
  }
}

/** What is said of an address that this process may not connect to. */
export function refusedWords({ hostname }: Endpoint): string {
  return `the agent may not connect to ${hostname}: it connects to 127.0.0.1, to addresses in ` +
    "--pod-cidr and to that of --node-ip";
}
