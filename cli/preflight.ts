/**
 * Looks at the machine before `up` starts anything: free ports, a container runtime. Prints one
 * JSON object. A process of its own, because the launcher may not look.
 */
import { parseOptions } from "../core/parts/mod.ts";
import { say } from "./say.ts";

/** What `up` learns about the machine. */
export interface Preflight {
  /** Port to use by name; the preferred one where it is free. */
  readonly ports: Readonly<Record<PortName, number>>;
  /** Ports that were taken, by name. */
  readonly taken: Readonly<Partial<Record<PortName, number>>>;
  readonly criSocket: "ok" | "absent" | "denied";
  readonly hostname: string;
  /** Addresses that other machines can reach. */
  readonly addresses: readonly string[];
}

/** The ports that `up` needs. */
export type PortName =
  | "node"
  | "api"
  | "kubelet"
  | "hubMetrics"
  | "local"
  | "agentMetrics"
  | "gateway";

/** The ports that are documented; others are used only where these are taken. */
export const PREFERRED: Readonly<Record<PortName, { port: number; hostname: string }>> = {
  node: { port: 10000, hostname: "0.0.0.0" },
  api: { port: 6443, hostname: "127.0.0.1" },
  kubelet: { port: 10250, hostname: "127.0.0.1" },
  hubMetrics: { port: 9091, hostname: "127.0.0.1" },
  local: { port: 10550, hostname: "127.0.0.1" },
  agentMetrics: { port: 10350, hostname: "127.0.0.1" },
  gateway: { port: 8080, hostname: "127.0.0.1" },
};

/** A port that can be listened on now: `port` itself, or one that the system picks. */
function freePort(hostname: string, port: number): number {
  try {
    using listener = Deno.listen({ hostname, port });
    return listener.addr.port;
  } catch {
    using listener = Deno.listen({ hostname, port: 0 });
    return listener.addr.port;
  }
}

function socketState(path: string): Preflight["criSocket"] {
  try {
    return Deno.statSync(path).isSocket ? "ok" : "absent";
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "absent" : "denied";
  }
}

if (import.meta.main) {
  const options = parseOptions({
    "cri-socket": { help: "", value: "PATH", fallback: "" },
  }, Deno.args);
  const ports: Partial<Record<PortName, number>> = {};
  const taken: Partial<Record<PortName, number>> = {};
  for (const [name, { port, hostname }] of Object.entries(PREFERRED)) {
    const found = freePort(hostname, port);
    ports[name as PortName] = found;
    if (found !== port) taken[name as PortName] = port;
  }
  const result: Preflight = {
    ports: ports as Record<PortName, number>,
    taken,
    criSocket: options["cri-socket"] === "none" ? "absent" : socketState(options["cri-socket"]),
    hostname: Deno.hostname().toLowerCase().replace(/[^a-z0-9.-]/g, "-"),
    addresses: Deno.networkInterfaces()
      .filter((item) => item.family === "IPv4" && !/^(127\.|169\.254\.)/.test(item.address))
      .map((item) => item.address),
  };
  say(JSON.stringify(result));
}
