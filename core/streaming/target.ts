import type { Pod } from "../api/mod.ts";
import { AppError } from "../base/mod.ts";

/** What a client wants of a container: a command run in it, or its own process. */
export interface RemoteCommand {
  /** Absent: attach to the container's own process. */
  readonly command?: readonly string[];
  readonly container: string;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** What a client wants of a pod's network; WebSocket clients name the ports here. */
export interface PortForward {
  readonly ports: readonly number[];
}

/** What a stream is to. */
export type StreamTarget =
  | ({ readonly kind: "remote-command" } & RemoteCommand)
  | ({ readonly kind: "port-forward" } & PortForward);

/** Names of the parameters: the API's and the kubelet's differ. */
const API_NAMES = { stdin: "stdin", stdout: "stdout", stderr: "stderr", ports: "ports" } as const;
const KUBELET_NAMES = { stdin: "input", stdout: "output", stderr: "error", ports: "port" } as const;

/** What of a path says what is wanted. */
export type StreamVerb = "exec" | "attach" | "portforward";

/** Who says the parameters. */
export type Wording = "api" | "kubelet";

/** Arguments of one command, and ports of one forward. */
export const ARGUMENTS_CAP = 1024;
/** Ports that one forward may name. */
export const PORTS_CAP = 64;

/**
 * Reads what the query of `pods/NAME/exec`, `attach` or `portforward` (or of the kubelet's paths)
 * asks of a pod.
 *
 * @throws {AppError} BadRequest in Kubernetes' words
 */
export function parseTarget(
  verb: StreamVerb,
  query: URLSearchParams,
  pod: Pod,
  wording: Wording,
): StreamTarget {
  const names = wording === "api" ? API_NAMES : KUBELET_NAMES;
  if (verb === "portforward") {
    return { kind: "port-forward", ports: portsOf(query.getAll(names.ports)) };
  }
  const flag = (name: string): boolean => /^(true|1|t)$/i.test(query.get(name) ?? "");
  const container = containerOf(pod, query.get("container") ?? "");
  const command = query.getAll("command");
  if (verb === "exec" && (command.length === 0 || command.length > ARGUMENTS_CAP)) {
    throw new AppError("BadRequest", "you must specify at least one command for the container");
  }
  const tty = flag("tty");
  const streams = {
    stdin: flag(names.stdin),
    stdout: flag(names.stdout),
    // A terminal has one output.
    stderr: flag(names.stderr) && !tty,
    // Whether a container has a terminal was decided when it was made. Who attaches to one without
    // knowing it is refused by the runtime, and kubectl reads the log then: as with a kubelet.
    tty: verb === "attach" ? ttyOf(pod, container) : tty,
  };
  if (!streams.stdin && !streams.stdout && !streams.stderr) {
    throw new AppError("BadRequest", "you must specify at least 1 of stdin, stdout, stderr");
  }
  return {
    kind: "remote-command",
    container,
    ...(verb === "exec" ? { command } : {}),
    ...streams,
  };
}

function portsOf(values: readonly string[]): number[] {
  const ports = values.flatMap((value) => value.split(",")).filter((text) => text !== "")
    .map(Number);
  const good = ports.every((port) => Number.isInteger(port) && port >= 1 && port <= 65_535);
  if (good && ports.length <= PORTS_CAP) return ports;
  throw new AppError("BadRequest", `ports must be numbers from 1 to 65535, at most ${PORTS_CAP}`);
}

function allContainers({ spec }: Pod): { name: string; tty?: boolean }[] {
  return [
    ...spec.containers,
    ...(spec.initContainers ?? []),
    ...(spec.ephemeralContainers ?? []),
  ];
}

function containerOf(pod: Pod, asked: string): string {
  const { name } = pod.metadata;
  const [first, ...more] = pod.spec.containers.map((one) => one.name);
  if (asked === "" && first !== undefined && more.length === 0) return first;
  if (asked === "") {
    const choice = [first, ...more].join(" ");
    throw new AppError(
      "BadRequest",
      `a container name must be specified for pod ${name}, choose one of: [${choice}]`,
    );
  }
  if (allContainers(pod).some((one) => one.name === asked)) return asked;
  throw new AppError("BadRequest", `container ${asked} is not valid for pod ${name}`);
}

function ttyOf(pod: Pod, container: string): boolean {
  return allContainers(pod).find((one) => one.name === container)?.tty === true;
}
