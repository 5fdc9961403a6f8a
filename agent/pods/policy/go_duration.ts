import type { Ms } from "../../../core/base/mod.ts";

/** A span as Go prints it, as a kubelet's messages have it: `850ms`, `1.5s`, `2m40s`, `1h0m0s`. */
export function goDuration(span: Ms): string {
  const total = Math.round(span);
  if (total > 0 && total < 1000) return `${total}ms`;
  const minutes = Math.floor(total / 60_000);
  const hours = Math.floor(minutes / 60);
  const rest = `${(total % 60_000) / 1000}s`;
  if (minutes === 0) return rest;
  return hours === 0 ? `${minutes}m${rest}` : `${hours}h${minutes % 60}m${rest}`;
}
