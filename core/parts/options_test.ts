import { deepStrictEqual, match, strictEqual, throws } from "node:assert/strict";
import { formatOptions, optionsHelp, parseOptions, resolvePaths } from "./options.ts";

const TABLE = {
  "name": { help: "its name", value: "NAME", fallback: "x" },
  "port": { help: "its port", value: "PORT", fallback: 80 },
  "label": { help: "a label", value: "K=V", fallback: [] as readonly string[] },
  "quiet": { help: "say less", fallback: false },
} as const;

Deno.test("parseOptions() reads values, switches and repeated options", () => {
  deepStrictEqual(
    parseOptions(TABLE, [
      "--name=a=b",
      "--port",
      "8080",
      "--quiet",
      "--label",
      "a=1",
      "--label=b=2",
    ]),
    {
      name: "a=b",
      port: 8080,
      label: ["a=1", "b=2"],
      quiet: true,
    },
  );
  deepStrictEqual(parseOptions(TABLE, []), { name: "x", port: 80, label: [], quiet: false });
  strictEqual(parseOptions(TABLE, ["--quiet=false"]).quiet, false);
});

Deno.test("parseOptions() names every problem at once", () => {
  throws(
    () => parseOptions(TABLE, ["--prt=1", "--port=eighty", "stray", "--quiet=maybe", "--name"]),
    (error: Error) => {
      for (
        const part of [
          "--prt",
          "--port: must be a whole number",
          "stray",
          "--quiet",
          "--name: needs",
        ]
      ) {
        match(error.message, new RegExp(part));
      }
      return true;
    },
  );
});

Deno.test("formatOptions() gives arguments that parse to the same values", () => {
  const values = parseOptions(TABLE, ["--name=n", "--port=1", "--label=a", "--label=b", "--quiet"]);
  deepStrictEqual(parseOptions(TABLE, formatOptions(TABLE, values)), values);
  deepStrictEqual(formatOptions(TABLE, parseOptions(TABLE, [])), []);
});

Deno.test("optionsHelp() names every option", () => {
  const text = optionsHelp("prog", TABLE);
  for (const name of Object.keys(TABLE)) match(text, new RegExp(`--${name}`));
});

Deno.test("resolvePaths() makes relative paths absolute and leaves words alone", () => {
  const table = {
    "dir": { help: "", path: true, fallback: "a" },
    "sock": { help: "", path: true, fallback: "none" },
    "name": { help: "", fallback: "b" },
  };
  deepStrictEqual(resolvePaths(table, parseOptions(table, []), "/base"), {
    dir: "/base/a",
    sock: "none",
    name: "b",
  });
  strictEqual(resolvePaths(table, parseOptions(table, ["--dir=./x"]), "/base").dir, "/base/x");
  strictEqual(resolvePaths(table, parseOptions(table, ["--dir=/x"]), "/base").dir, "/x");
});
