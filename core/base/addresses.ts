import { isIP } from "node:net";

/** A host as it stands in URLs and lists of permissions: an IPv6 address in brackets. */
export function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

/** `host:port`, with brackets around an IPv6 address. */
export function hostAndPort(host: string, port: number | string): string {
  return `${bracketed(host)}:${port}`;
}

/** Where a process reaches its own listener on `address`, which may stand for all addresses. */
export function ownAddress(address: string): string {
  if (address === "0.0.0.0") return "127.0.0.1";
  return address === "::" ? "::1" : address;
}

const IPV4_AS_IPV6 = /^::ffff:[^:]+(:[^:]+)?$/i;
const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?)*$/i;

/** Whether this is an IP address as Kubernetes takes it: without a zone, no IPv4 address as IPv6. */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes("%") && !IPV4_AS_IPV6.test(text);
}

/** Whether this is an address of one machine: neither that of all, nor of a group of machines. */
export function isOneAddress(text: string): boolean {
  if (!isAddress(text)) return false;
  return isIP(text) === 4
    ? text !== "0.0.0.0" && Number(text.split(".")[0]) < 224
    : !/^[0:]+$/.test(text) && !/^ff/i.test(text);
}

/** Whether this address is one by which a machine reaches itself alone, or the name of one. */
export function isLoopback(host: string): boolean {
  const own = isIP(host) === 4 ? host.startsWith("127.") : /^[0:]*:0*1$/.test(host);
  return own || host.toLowerCase() === "localhost";
}

/**
 * Whether this is an IP address, or a name that DNS can hold. What ends in a number is no name: it
 * is an address that somebody has not finished.
 */
export function isHost(text: string): boolean {
  return isAddress(text) || (HOST_NAME.test(text) && !/(^|\.)\d+$/.test(text));
}

/** A host and a port. */
export interface HostPort {
  /** Without brackets. */
  readonly hostname: string;
  readonly port: number;
}

/** Reads `host:port`, an IPv6 address in brackets; `undefined` when it is something else. */
export function splitHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const hostname = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3]);
  if (!(port >= 1 && port <= 65535)) return undefined;
  // A name may end with the dot of the root.
  const isRight = match?.[1] === undefined ? isHost(hostname.replace(/\.$/, "")) : isIPv6(hostname);
  return isRight ? { hostname, port } : undefined;
}

function isIPv6(text: string): boolean {
  return isIP(text) === 6 && isAddress(text);
}

/** A range of addresses, in CIDR notation. */
export interface Cidr {
  readonly family: "ipv4" | "ipv6";
  readonly address: string;
  /** How many bits all of them share. */
  readonly bits: number;
}

/** Reads a range in CIDR notation; `undefined` when it is none. */
export function splitCidr(text: string): Cidr | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const [address = "", bits] = [match?.[1], Number(match?.[2])];
  if (!isAddress(address)) return undefined;
  const family = isIP(address) === 4 ? "ipv4" : "ipv6";
  return bits <= (family === "ipv4" ? 32 : 128) ? { family, address, bits } : undefined;
}
