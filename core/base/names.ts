import type { NodeName } from "./units.ts";

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/** Also the longest value of the label `kubernetes.io/hostname`, which carries the name. */
const NODE_NAME_MAX = 63;

/** Whether `text` may name a node: a DNS-1123 subdomain of at most 63 characters. */
export function isNodeName(text: string): text is NodeName {
  return text.length > 0 && text.length <= NODE_NAME_MAX && SUBDOMAIN.test(text);
}

/** Whether `key` is a label key: an optional DNS prefix and a name of at most 63 characters. */
export function isLabelKey(key: string): boolean {
  const slash = key.indexOf("/");
  if (slash < 0) return NAME.test(key);
  const prefix = key.slice(0, slash);
  return prefix.length <= 253 && SUBDOMAIN.test(prefix) && NAME.test(key.slice(slash + 1));
}

/** Whether `value` is a label value: empty, or at most 63 characters of the label alphabet. */
export function isLabelValue(value: string): boolean {
  return value === "" || NAME.test(value);
}
