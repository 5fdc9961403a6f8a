import {
  isAddress,
  isHost,
  isLabelKey,
  isLabelValue,
  isNodeName,
  isOneAddress,
  splitCidr,
  splitHostPort,
} from "../base/mod.ts";

/** What the text of an option must look like: the value of one, each value of a list. */
export interface OptionForm {
  /** What is wanted and an example, as it follows "must be HOST, ". */
  readonly wanted: string;
  takes(text: string): boolean;
}

/** How many bits the addresses of a range for Services share, at least and at most. */
export const SERVICE_CIDR_BITS = [12, 30] as const;

/** Whether this is a range of IPv4 addresses: Deno grants no ranges of IPv6, and the hub gives none out. */
function isIPv4Range(text: string, [least, most]: readonly [number, number] = [0, 32]): boolean {
  const found = splitCidr(text);
  return found?.family === "ipv4" && found.bits >= least && found.bits <= most;
}

/** A path: permissions are a list with commas, and Deno takes no empty one. */
export const PATH: OptionForm = {
  wanted: "a path without a comma, such as /var/lib/skerry",
  takes: (text) => text !== "" && !/[,\0]/.test(text),
};

/** An absolute path of the host. */
export const HOST_PATH: OptionForm = {
  wanted: "an absolute path without a comma, such as /srv/models",
  takes: (text) => text.startsWith("/") && PATH.takes(text),
};

/** What a process listens on. */
export const LISTEN_ADDRESS: OptionForm = {
  wanted: "an address of this machine, such as 127.0.0.1, or 0.0.0.0 or :: for all of them",
  takes: (text) => isAddress(text) || text === "localhost",
};

/** The address of a node, as it stands in the status of its pods. */
export const NODE_ADDRESS: OptionForm = {
  wanted: "one IPv4 or IPv6 address of this node, without a zone, such as 2001:db8::7 or 192.0.2.7",
  takes: isOneAddress,
};

/** By what others reach a process: neither a port nor an address that stands for all. */
export const REACHED_HOST: OptionForm = {
  wanted: "a DNS name or an address without a port, such as hub.example.com or 192.0.2.7",
  takes: (text) => isHost(text) && (!isAddress(text) || isOneAddress(text)),
};

/** Names of a certificate: as {@linkcode REACHED_HOST}, or all names below a domain. */
export const CERTIFICATE_HOST: OptionForm = {
  wanted: REACHED_HOST.wanted,
  takes(text) {
    const name = text.replace(/^\*\./, "");
    return REACHED_HOST.takes(name) && (name === text || !isAddress(name));
  },
};

/** Where a hub is. */
export const HUB_ADDRESS: OptionForm = {
  wanted:
    "a DNS name or an address, and a port from 1 to 65535, without https:// before it, such " +
    "as hub.example.com:10000 or [2001:db8::7]:10000",
  takes: (text) => splitHostPort(text) !== undefined,
};

/** Where modules come from. */
export const FUNCTION_HOST: OptionForm = {
  wanted: "a DNS name or an address, with a port or without, such as modules.example.com:8443 " +
    "or [2001:db8::7]",
  // A host alone is read as one with a port, so that an IPv6 address has its brackets.
  takes: (text) => splitHostPort(text) !== undefined || splitHostPort(`${text}:80`) !== undefined,
};

/** A range of pods or of hubs: only of IPv4 can Deno grant one. */
export const CIDR_V4: OptionForm = {
  wanted: "a range of IPv4 addresses with the length of its prefix, such as 10.244.0.0/16",
  takes: (text) => isIPv4Range(text),
};

/** The range of Services. */
export const SERVICE_CIDR: OptionForm = {
  wanted: `a range of IPv4 addresses from /${SERVICE_CIDR_BITS[0]} to /${SERVICE_CIDR_BITS[1]}, ` +
    "such as 10.96.0.0/16",
  takes: (text) => isIPv4Range(text, SERVICE_CIDR_BITS),
};

/** A label of Kubernetes; without `=` its value is empty. */
export const LABEL: OptionForm = {
  wanted:
    "a label of Kubernetes: letters, digits, '-', '_' and '.', at most 63 in the key's name " +
    "and in the value, such as example.com/hall=7",
  takes(text) {
    const at = text.indexOf("=");
    return at < 0
      ? isLabelKey(text)
      : isLabelKey(text.slice(0, at)) && isLabelValue(text.slice(at + 1));
  },
};

/** The name of a node. */
export const NODE_NAME: OptionForm = {
  wanted: "small letters, digits, '-' and '.', at most 63 of them, such as gateway-1",
  takes: isNodeName,
};
