/** A client of exec that speaks `v5.channel.k8s.io` itself: as fast, or as slow, as a test wants it. */
import { readEndpoint } from "../../core/kube/mod.ts";
import { type ByteChannel, FrameDecoder, readAnswerHead } from "../../core/wire/mod.ts";

interface Server {
  readonly hostname: string;
  readonly port: number;
  readonly caCerts: string[];
  readonly cert: string;
  readonly key: string;
}

/** How a command ended. */
export interface ExecEnd {
  /** Bytes on standard output, and the first of them as text. */
  readonly size: number;
  readonly stdout: string;
  readonly exitCode: number;
}

/** Execs in pods of `default`, each over a connection of its own. */
export class ExecClient {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** A client with the credentials of a kubeconfig, at its API or elsewhere. */
  static async open(
    kubeconfig: string,
    at?: { readonly hostname: string; readonly port: number },
  ): Promise<ExecClient> {
    const { server, ca = "", credential } = await readEndpoint(kubeconfig);
    if (!credential) {
      throw new Error(`${kubeconfig} has no client certificate, which this test needs`);
    }
    const { hostname, port } = new URL(server);
    return new ExecClient({
      ...(at ?? { hostname, port: Number(port) || 443 }),
      caCerts: [ca],
      cert: credential.certificate,
      key: credential.key,
    });
  }

  /** Runs a command to its end. */
  async exec(pod: string, command: readonly string[]): Promise<ExecEnd> {
    using exec = await this.start(pod, command);
    return await exec.finish();
  }

  /** Starts a command; nothing is read until {@linkcode RawExec.finish}. */
  async start(pod: string, command: readonly string[]): Promise<RawExec> {
    const query = new URLSearchParams({ stdout: "true", stderr: "true" });
    for (const word of command) query.append("command", word);
    return await this.startAt(`/api/v1/namespaces/default/pods/${pod}/exec?${query}`);
  }

  /** Starts what `path` with its query names, e.g. at the kubelet door. */
  async startAt(path: string): Promise<RawExec> {
    const head = [
      `GET ${path} HTTP/1.1`,
      ...["Host: hub", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
      "Sec-WebSocket-Protocol: v5.channel.k8s.io",
    ];
    const channel = channelOver(await Deno.connectTls(this.#server));
    await channel.write(new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n`));
    const answer = await readAnswerHead(channel, "the API");
    if (answer.status === 101) return new RawExec(answer.channel);
    channel.close();
    throw new Error(`${path} was answered ${answer.status}`);
  }
}

function channelOver(connection: Deno.TlsConn): ByteChannel {
  let open = true;
  return {
    async read() {
      const buffer = new Uint8Array(64 * 1024);
      const count = await connection.read(buffer);
      return count === null ? undefined : buffer.subarray(0, count);
    },
    async write(bytes) {
      for (let at = 0; at < bytes.byteLength;) at += await connection.write(bytes.subarray(at));
    },
    end: () => connection.closeWrite(),
    close() {
      if (open) connection.close();
      open = false;
    },
  };
}

/** One command that runs. Disposing it leaves, as a client that crashes does. */
export class RawExec implements Disposable {
  readonly #channel: ByteChannel;

  constructor(channel: ByteChannel) {
    this.#channel = channel;
  }

  /** Reads everything. @throws {Error} when the connection ends without a status */
  async finish(): Promise<ExecEnd> {
    const decoder = new FrameDecoder({ from: "server" });
    const texts: Record<number, string> = {};
    let size = 0;
    let channel = 0;
    for (let bytes = await this.#channel.read(); bytes; bytes = await this.#channel.read()) {
      for (const event of decoder.push(bytes)) {
        if (event.kind === "close") return endOf(texts, size);
        if (event.kind !== "data") continue;
        if (event.start) channel = event.bytes[0] ?? 0;
        const data = event.bytes.subarray(event.start ? 1 : 0);
        if (channel === 1) size += data.byteLength;
        const text = texts[channel] ?? "";
        if (text.length < 10_000) texts[channel] = text + new TextDecoder().decode(data);
      }
    }
    throw new Error(`the stream broke: ${JSON.stringify(texts)}`);
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }
}

function endOf(texts: Readonly<Record<number, string>>, size: number): ExecEnd {
  const status = JSON.parse(texts[3] ?? "null");
  if (!status) throw new Error(`no status came: ${JSON.stringify(texts)}`);
  const causes: { reason: string; message: string }[] = status.details?.causes ?? [];
  const code = causes.find(({ reason }) => reason === "ExitCode")?.message;
  if (status.status !== "Success" && code === undefined) throw new Error(status.message);
  return { size, stdout: texts[1] ?? "", exitCode: Number(code ?? 0) };
}
