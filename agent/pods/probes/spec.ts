import type { Container, HttpGetAction, Probe } from "../../../core/api/mod.ts";
import { type Ms, seconds } from "../../../core/base/mod.ts";
import { expandVariables } from "../config/expand.ts";

/** What a probe is for. */
export type ProbeKind = "startup" | "liveness" | "readiness";

/** All kinds, in the order in which a container goes through them. */
export const PROBE_KINDS: readonly ProbeKind[] = ["startup", "liveness", "readiness"];

/** How a container is asked. An empty host is the pod's own address. */
export type ProbeHandler =
  | { readonly type: "exec"; readonly command: readonly string[] }
  | {
    readonly type: "http";
    readonly scheme: "http" | "https";
    readonly host: string;
    readonly port: number;
    readonly path: string;
    readonly headers: readonly HttpHeader[];
  }
  | { readonly type: "tcp"; readonly host: string; readonly port: number }
  | { readonly type: "grpc"; readonly port: number; readonly service: string }
  /** The container cannot be asked like this; `why` is for its owner. */
  | { readonly type: "none"; readonly why: string };

/** One header of a request, as the pod names it. */
export interface HttpHeader {
  readonly name: string;
  readonly value: string;
}

/** One probe of a container, with Kubernetes' defaults filled in. */
export interface ProbeSpec {
  readonly handler: ProbeHandler;
  readonly initialDelay: Ms;
  readonly period: Ms;
  readonly timeout: Ms;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}

/** The probes of one container. */
export type ContainerProbes = Readonly<Partial<Record<ProbeKind, ProbeSpec>>>;

/** The probes that a container has; `undefined` for one without. */
export function probesOf(container: Container): ContainerProbes | undefined {
  const probes: Partial<Record<ProbeKind, ProbeSpec>> = {};
  for (const kind of PROBE_KINDS) {
    const probe = container[`${kind}Probe`];
    if (probe) probes[kind] = probeSpec(container, kind, probe);
  }
  return Object.keys(probes).length > 0 ? probes : undefined;
}

function probeSpec(container: Container, kind: ProbeKind, probe: Probe): ProbeSpec {
  return {
    handler: handlerOf(container, probe),
    initialDelay: seconds(atLeast(0, probe.initialDelaySeconds, 0)),
    period: seconds(atLeast(1, probe.periodSeconds, 10)),
    timeout: seconds(atLeast(1, probe.timeoutSeconds, 1)),
    // One success is enough for what restarts a container (Kubernetes allows no other value).
    successThreshold: kind === "readiness" ? atLeast(1, probe.successThreshold, 1) : 1,
    failureThreshold: atLeast(1, probe.failureThreshold, 3),
  };
}

function atLeast(least: number, value: unknown, fallback: number): number {
  return typeof value === "number" && value >= least ? value : fallback;
}

function handlerOf(container: Container, probe: Probe): ProbeHandler {
  const { exec, httpGet, tcpSocket, grpc } = probe;
  if (exec) return execHandler(container, exec);
  if (httpGet) return httpHandler(container, httpGet);
  const net = tcpSocket ?? grpc;
  if (!net) return { type: "none", why: "the probe names nothing to ask" };
  const port = portOf(container, net.port);
  if (typeof port === "string") return { type: "none", why: port };
  return tcpSocket
    ? { type: "tcp", host: hostOf(tcpSocket.host), port }
    : { type: "grpc", port, service: grpc?.service ?? "" };
}

/** An `exec` action; variables of the container's `env` stand for their literal values alone. */
export function execHandler(
  container: Container,
  action: NonNullable<Probe["exec"]>,
): ProbeHandler {
  const values = new Map((container.env ?? []).map((one) => [one.name, one.value ?? ""]));
  const command = (action.command ?? []).map((arg: string) => expandVariables(arg, values));
  return command.length > 0
    ? { type: "exec", command }
    : { type: "none", why: "exec names no command" };
}

/** An `httpGet` action, of a probe or of a lifecycle hook. */
export function httpHandler(container: Container, action: HttpGetAction): ProbeHandler {
  const port = portOf(container, action.port);
  if (typeof port === "string") return { type: "none", why: port };
  return {
    type: "http",
    scheme: String(action.scheme ?? "HTTP").toUpperCase() === "HTTPS" ? "https" : "http",
    host: hostOf(action.host),
    port,
    path: action.path || "/",
    headers: action.httpHeaders ?? [],
  };
}

/** A name needs a permission of its own; this one is always the loopback address. */
function hostOf(host: string | undefined): string {
  return host === "localhost" ? "127.0.0.1" : host ?? "";
}

/** The number of a port, or why there is none. */
function portOf(container: Container, port: unknown): number | string {
  const named = (container.ports ?? []).find((one) => one.name !== undefined && one.name === port);
  const number = named?.containerPort ?? Number(port);
  if (Number.isInteger(number) && number > 0 && number < 65536) return number;
  return `container ${container.name} has no port ${JSON.stringify(port ?? null)}`;
}
