import assert from "node:assert/strict";
import { unitFiles } from "./units.ts";

const FOLDER = new URL("./systemd/", import.meta.url);
const files = unitFiles();

/** All values of a directive of a unit's text. */
function values(text: string, directive: string): string[] {
  return text.split("\n").filter((line) => line.startsWith(`${directive}=`))
    .map((line) => line.slice(directive.length + 1));
}

for (const [name, text] of files) {
  Deno.test(`${name} is as packaging/units.ts writes it`, async () => {
    const written = await Deno.readTextFile(new URL(name, FOLDER));
    assert.equal(written, text, "run: deno run -P=tools packaging/units.ts");
  });

  Deno.test(`${name} names its permission set and no path of a checkout`, () => {
    const set = name.startsWith("skerry-hub") ? "cloud" : name.split(/[-.]/)[1];
    assert.ok(text.includes(`  -P=${set} \\\n`));
    assert.ok(text.includes("--no-prompt"));
    assert.ok(!text.includes("--allow-all"));
    const here = new URL("..", import.meta.url).pathname;
    assert.ok(!text.includes(here));
    assert.ok(!text.includes(Deno.execPath()));
  });

  Deno.test(`${name} is hardened and bounded`, () => {
    assert.deepEqual(values(text, "NoNewPrivileges"), ["yes"]);
    assert.deepEqual(values(text, "ProtectSystem"), ["strict"]);
    assert.equal(values(text, "MemoryMax").length, 1);
    assert.equal(values(text, "User").length, 1);
    assert.match(
      values(text, "CapabilityBoundingSet")[0] ?? "none",
      /^(CAP_(CHOWN|DAC_OVERRIDE|FOWNER|FSETID|NET_BIND_SERVICE) ?)*$/,
    );
  });
}

Deno.test("every unit is installed from a file, and every file but the slices is a unit", async () => {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(FOLDER)) {
    if (name.endsWith(".service")) found.push(name);
  }
  assert.deepEqual(found.sort(), [...files.keys()].sort());
});

Deno.test("the runner has a user and a slice that no other unit has", () => {
  const uses = (directive: string): string[] =>
    [...files].filter(([name]) => name !== "skerry-runner.service")
      .flatMap(([, text]) => values(text, directive));
  const runner = files.get("skerry-runner.service") ?? "";
  for (const directive of ["User", "Slice"]) {
    const [own] = values(runner, directive);
    assert.ok(own !== undefined && own !== "root");
    assert.ok(!uses(directive).includes(own), `${directive}=${own}`);
  }
});

Deno.test("only the runner may use FFI, and nobody but it starts a program", async () => {
  const config = JSON.parse(await Deno.readTextFile(new URL("../deno.json", import.meta.url)));
  for (const set of ["agent", "cloud"]) {
    assert.equal(config.permissions[set].ffi, undefined);
    assert.equal(config.permissions[set].run, undefined);
  }
  for (const [name, text] of files) {
    if (name !== "skerry-runner.service") assert.ok(!/--allow-(run|ffi)/.test(text), name);
  }
});

Deno.test("every user and slice of the units is declared", async () => {
  const users = await Deno.readTextFile(new URL("sysusers.conf", FOLDER));
  for (const text of files.values()) {
    for (const user of values(text, "User")) {
      if (user !== "root") assert.match(users, new RegExp(`^u ${user}\\s`, "m"));
    }
    for (const slice of values(text, "Slice")) await Deno.stat(new URL(slice, FOLDER));
  }
});
