import { BlockList } from "node:net";
import { splitCidr } from "../../core/base/mod.ts";

/** Whether all of a range of addresses (CIDR) lies in another; false for what is no range. */
export function isWithin(inner: string, outer: string): boolean {
  const part = splitCidr(inner);
  const whole = splitCidr(outer);
  if (!part || !whole || part.family !== whole.family || part.bits < whole.bits) return false;
  const range = new BlockList();
  range.addSubnet(whole.address, whole.bits, whole.family);
  return range.check(part.address, part.family);
}
