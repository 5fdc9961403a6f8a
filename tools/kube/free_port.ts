import { systemRandom } from "../../core/base/mod.ts";

/** Given out before: whoever has one may not listen yet. */
const given = new Set<number>();

/**
 * A port that was free a moment ago, and is given out once. Below those that the system gives to
 * outgoing connections, one of which could have it before whoever is to listen there does.
 */
export function freePort(): number {
  for (;;) {
    const port = 21_000 + Math.floor(systemRandom() * 11_000);
    if (given.has(port)) continue;
    try {
      Deno.listen({ hostname: "0.0.0.0", port }).close();
      given.add(port);
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
