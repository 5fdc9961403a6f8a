/** The node's own DNS resolver, for pods that use it. */
export interface Resolver {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
}

/** Reads the text of a `resolv.conf` (resolv.conf(5)). */
export function parseResolver(text: string): Resolver {
  const servers: string[] = [];
  let searches: string[] = [];
  for (const line of text.split("\n")) {
    const [word, ...rest] = line.replace(/[#;].*$/, "").trim().split(/\s+/);
    if (word === "nameserver" && rest[0]) servers.push(rest[0]);
    if (word === "search" || word === "domain") searches = rest;
  }
  return { servers, searches };
}

/** The resolver of this machine; empty when it has none. */
export function loadResolver(): Resolver {
  try {
    return parseResolver(Deno.readTextFileSync("/etc/resolv.conf"));
  } catch {
    return { servers: [], searches: [] };
  }
}
