import { parse } from "yaml";
import { deadline, seconds, systemClock } from "../core/base/mod.ts";

/** Where exec is asked for: an API of Kubernetes, or a runtime's own streaming server. */
export interface ExecServer extends Disposable {
  /** `wss://host:port`. */
  readonly base: string;
  readonly client?: Deno.HttpClient;
}

/** The API that a kubeconfig with embedded certificates names. */
export function openExecServer(kubeconfig: string): ExecServer {
  const config = parse(Deno.readTextFileSync(kubeconfig));
  const { cluster } = config.clusters[0];
  const { user } = config.users[0];
  const client = Deno.createHttpClient({
    caCerts: [atob(cluster["certificate-authority-data"])],
    cert: atob(user["client-certificate-data"]),
    key: atob(user["client-key-data"]),
    http2: false,
  });
  const base = String(cluster.server).replace(/^http/, "ws");
  return { base, client, [Symbol.dispose]: () => client.close() };
}

/** The path of an exec in the container `c` of a pod of `default`. */
export function execPath(pod: string, command: readonly string[]): string {
  const query = new URLSearchParams([
    ...[["container", "c"], ["stdout", "true"], ["stderr", "true"]],
    ...command.map((word) => ["command", word]),
  ]);
  return `/api/v1/namespaces/default/pods/${pod}/exec?${query}`;
}

/**
 * Runs one exec over WebSocket to its end, as kubectl does: `v5.channel.k8s.io` of an API,
 * `v4.channel.k8s.io` of a runtime.
 *
 * @throws {Error} when it does not end well within 30 s
 */
export async function exec(
  server: Pick<ExecServer, "client">,
  url: string,
  protocol: "v4.channel.k8s.io" | "v5.channel.k8s.io",
): Promise<string> {
  using limit = deadline(systemClock, seconds(30), () => new Error(`${url}: no end in 30 s`));
  const socket = new WebSocket(url, {
    protocols: [protocol],
    ...(server.client ? { client: server.client } : {}),
  });
  socket.binaryType = "arraybuffer";
  const ended = Promise.withResolvers<string>();
  let out = "";
  socket.onmessage = ({ data }) => {
    const bytes = new Uint8Array(data);
    const text = new TextDecoder().decode(bytes.subarray(1));
    if (bytes[0] === 1) out += text;
    // Channel 3 is the Status; a runtime says nothing there but at the end either.
    if (bytes[0] === 3 && text !== "" && JSON.parse(text).status !== "Success") {
      ended.reject(new Error(text));
    }
  };
  socket.onerror = (event) => ended.reject(new Error((event as ErrorEvent).message));
  socket.onclose = () => ended.resolve(out);
  const onAbort = (): void => ended.reject(limit.signal.reason);
  limit.signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await ended.promise;
  } finally {
    socket.close();
  }
}
