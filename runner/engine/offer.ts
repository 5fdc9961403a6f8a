import { systemClock } from "../../core/base/mod.ts";
import { skerryHost } from "./host_skerry.ts";
import { wasiHost } from "./host_wasi.ts";
import type { Abi } from "./invoke.ts";

/** What each ABI lets a guest import: signature by `module.name`. */
export function hostOffer(abi: Abi): ReadonlyMap<string, string> {
  const functions = abi === "wasi-command" ? wasiHost(systemClock) : skerryHost(systemClock);
  return new Map(functions.map((host) => [`${host.module}.${host.name}`, host.signature]));
}
