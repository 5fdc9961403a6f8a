/** Loads the module that it is told, says so and waits: {@link ./dependencies_lib.ts} measures it. */
const [module = ""] = Deno.args;
if (module !== "") {
  // reflect-metadata is what x509 needs to load at all.
  if (module.includes("x509")) await import("reflect-metadata");
  await import(module);
}
await Deno.stdout.write(new TextEncoder().encode("loaded\n"));
await Deno.stdin.read(new Uint8Array(1));
