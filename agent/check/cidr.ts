import { BlockList, isIPv6 } from "node:net";

/** Whether all of a range of addresses (CIDR) lies in another. */
export function isWithin(inner: string, outer: string): boolean {
  const [address = "", length = ""] = inner.split("/");
  const [net = "", prefix = ""] = outer.split("/");
  const family = isIPv6(net) ? "ipv6" : "ipv4";
  if (isIPv6(address) !== isIPv6(net) || Number(length) < Number(prefix)) return false;
  const range = new BlockList();
  range.addSubnet(net, Number(prefix), family);
  return range.check(address, family);
}
