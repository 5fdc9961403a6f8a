import { systemRandom } from "../core/base/mod.ts";

/** Here a link named as a port says which process it was given to: that may not listen yet. */
const GIVEN = `/tmp/skerry-test-ports-${Deno.uid()}`;

/**
 * A port that was free a moment ago, and that no other process of this machine is given while this
 * one lives. Below those that the system gives to outgoing connections, one of which could have it
 * before whoever is to listen there does.
 */
export function freePort(): number {
  Deno.mkdirSync(GIVEN, { recursive: true });
  for (;;) {
    const port = 21_000 + Math.floor(systemRandom() * 11_000);
    if (claim(`${GIVEN}/${port}`) && isFree(port)) return port;
  }
}

/** Whether nobody has it; then this process does. */
function claim(path: string): boolean {
  try {
    if (!isAlive(Deno.readLinkSync(path))) Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  try {
    Deno.symlinkSync(`${Deno.pid}`, path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
}

function isAlive(pid: string): boolean {
  try {
    return Deno.statSync(`/proc/${pid}`).isDirectory;
  } catch {
    return false;
  }
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "0.0.0.0", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}
