/** The node's resolver, out of the text of `/etc/resolv.conf`. The last `search` line counts. */
export function parseResolvConf(text: string): { servers: string[]; searches: string[] } {
  const servers: string[] = [];
  let searches: string[] = [];
  for (const line of text.split("\n")) {
    const [word, ...rest] = line.replace(/[#;].*$/, "").trim().split(/\s+/);
    if (word === "nameserver" && rest[0]) servers.push(rest[0]);
    if (word === "search" || word === "domain") searches = rest;
  }
  return { servers, searches };
}
