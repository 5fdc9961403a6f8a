/** Tries, inside a part's permission set, what the arguments name; prints one JSON line. */
const [file = "", host = "", program = ""] = Deno.args;

async function outcome(fn: () => unknown): Promise<string> {
  try {
    await fn();
    return "done";
  } catch (error) {
    return error instanceof Deno.errors.NotCapable ? "refused" : `failed: ${error}`;
  }
}

const [hostname = "", port = "0"] = host.split(":");
const result = {
  read: await outcome(() => Deno.readTextFile(file)),
  write: await outcome(() => Deno.writeTextFile(`${file}.probe`, "x")),
  connect: await outcome(async () =>
    (await Deno.connect({ hostname, port: Number(port) })).close()
  ),
  run: await outcome(() => new Deno.Command(program).output()),
  // deno-lint-ignore skerry/ffi -- the probe tries what must be refused
  ffi: await outcome(() => Deno.dlopen("libc.so.6", {}).close()),
  env: await outcome(() => Deno.env.get("SKERRY_PROBE_SECRET")),
};
// deno-lint-ignore no-console -- the answer of this script
console.log(JSON.stringify(result));
export {};
