/**
 * Builds libwasmtime from crates, from the patched LTS release that `crate/Cargo.toml` names:
 * `deno run -A tools/libwasmtime/build.ts [--target TRIPLE]`. Prints the library's path.
 */
const FOLDER = new URL("crate/", import.meta.url);

async function main(args: readonly string[]): Promise<number> {
  const at = args.indexOf("--target");
  const target = at < 0 ? undefined : args[at + 1];
  const flags = target === undefined ? [] : ["--target", target];
  try {
    const { code } = await new Deno.Command("cargo", {
      args: ["build", "--release", ...flags],
      cwd: FOLDER,
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
    }).output();
    if (code !== 0) return code;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    say(Deno.stderr, "there is no cargo on this machine: install Rust 1.95 or newer, and cmake");
    return 1;
  }
  const folder = target === undefined ? "target" : `target/${target}`;
  say(Deno.stdout, new URL(`${folder}/release/libwasmtime.so`, FOLDER).pathname);
  return 0;
}

function say(to: { writeSync(data: Uint8Array): number }, line: string): void {
  to.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
