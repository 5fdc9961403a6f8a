/**
 * Fetches libwasmtime and prints its path on standard output:
 * `deno run -A tools/libwasmtime/fetch.ts [x86_64|aarch64]`.
 */
import { errorText } from "../../core/base/mod.ts";
import { ensureLibrary } from "./mod.ts";

const [arch] = Deno.args;
const stdout = (line: string): void =>
  void Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const stderr = (line: string): void =>
  void Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
try {
  stdout(await ensureLibrary({ progress: stderr, ...(arch ? { arch } : {}) }));
} catch (error) {
  stderr(errorText(error));
  Deno.exit(1);
}
