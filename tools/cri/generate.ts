/**
 * Writes `gen/` of each room that speaks protobuf from its `proto/`, with buf and protoc-gen-es
 * (npm). `--check` writes nothing and fails when the committed files differ.
 *
 *     deno run -A tools/cri/generate.ts [--check]
 */
const BUF = "@bufbuild/buf@1.75.0";
const PLUGIN = "@bufbuild/protoc-gen-es@2.17.0";
const ROOMS = ["agent/runtimes/cri", "agent/plugins"].map((path) =>
  new URL(`../../${path}/`, import.meta.url).pathname
);

/** The generator runs under Node: buf is a native program, the plugin is a Node script it starts. */
async function generate(room: string, out: string): Promise<void> {
  const template = JSON.stringify({
    version: "v2",
    inputs: [{ directory: `${room}proto` }],
    plugins: [{
      local: "protoc-gen-es",
      out,
      opt: ["target=ts", "import_extension=ts", "erasable_syntax=true"],
    }],
  });
  const { success, stderr } = await new Deno.Command("npx", {
    args: ["-y", "-p", BUF, "-p", PLUGIN, "--", "buf", "generate", "--template", template],
  }).output();
  if (!success) throw new Error(`buf generate failed: ${new TextDecoder().decode(stderr)}`);
  for (const name of await names(out)) {
    const text = await Deno.readTextFile(`${out}/${name}`);
    await Deno.writeTextFile(
      `${out}/${name}`,
      `// deno-fmt-ignore-file\n// deno-lint-ignore-file\n${text}`,
    );
  }
}

async function names(dir: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(dir)) {
    if (entry.name.endsWith("_pb.ts")) found.push(entry.name);
  }
  return found.sort();
}

async function check(room: string): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await generate(room, dir);
    for (const name of new Set([...await names(dir), ...await names(`${room}gen`)])) {
      const [fresh, kept] = await Promise.all(
        [`${dir}/${name}`, `${room}gen/${name}`].map((path) =>
          Deno.readTextFile(path).catch(() => "")
        ),
      );
      if (fresh !== kept) throw new Error(`${name} is out of date: run tools/cri/generate.ts`);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

if (import.meta.main) {
  for (const room of ROOMS) {
    if (Deno.args.includes("--check")) await check(room);
    else await generate(room, `${room}gen`);
  }
}
