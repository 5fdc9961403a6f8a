import { deepStrictEqual, match, strictEqual, throws } from "node:assert/strict";
import { AppError } from "../base/mod.ts";
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
          "--port: must be PORT, a whole number, 0 or more: current value is eighty",
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

Deno.test("parseOptions() says what an option takes when a value is out of it", () => {
  const table = {
    "ttl": { help: "", value: "MINUTES", fallback: 60, range: [1, 90] as const },
    "level": { help: "", value: "LEVEL", fallback: "info", words: ["info", "warn"] },
  };
  for (const text of ["-1", "0", "91", "1h", "1.5", "", "9".repeat(40)]) {
    throws(
      () => parseOptions(table, [`--ttl=${text}`]),
      (error: Error) =>
        error.message.endsWith(
          `--ttl: must be MINUTES, a whole number from 1 to 90: current value is ${text || '""'}`,
        ),
    );
  }
  strictEqual(parseOptions(table, ["--ttl=90"]).ttl, 90);
  throws(() => parseOptions(table, ["--level", "loud"]), /--level: must be info or warn: .* loud/);
  strictEqual(parseOptions(table, ["--level", "warn"]).level, "warn");
});

Deno.test("parseOptions() holds every value of a list to its form, and shows it on one line", () => {
  const form = { wanted: "a digit, such as 7", takes: (text: string) => /^\d$/.test(text) };
  const table = {
    "one": { help: "", value: "D", fallback: "", form },
    "many": { help: "", value: "D", fallback: [] as readonly string[], form },
    "some": { help: "", value: "D", fallback: "1", form },
  };
  deepStrictEqual(parseOptions(table, ["--one=", "--many=1", "--many=2"]), {
    one: "",
    many: ["1", "2"],
    some: "1",
  });
  for (
    const [arg, told] of [
      ["--one=x\ny", String.raw`--one: must be D, a digit, such as 7: current value is "x\ny"`],
      ["--many=", '--many: must be D, a digit, such as 7: current value is ""'],
      ["--some=", '--some: must be D, a digit, such as 7: current value is ""'],
    ] as const
  ) {
    throws(
      () => parseOptions(table, ["--many=3", arg]),
      new AppError("BadRequest", `Cannot read the options: ${told}`),
    );
  }
});

Deno.test("parseOptions() refuses an option over the one that it must not exceed, and cuts a fallback", () => {
  const table = {
    "part": { help: "", fallback: 10, atMost: "all" },
    "all": { help: "", fallback: 30 },
  };
  deepStrictEqual(parseOptions(table, ["--all=5"]), { part: 5, all: 5 });
  deepStrictEqual(parseOptions(table, ["--part=30"]), { part: 30, all: 30 });
  throws(
    () => parseOptions(table, ["--part=8", "--all=7"]),
    /--part: must not be more than --all, which is 7: current value is 8$/,
  );
});

Deno.test("a path with a comma, or none, is refused where the option is read", () => {
  const table = {
    "dir": { help: "", value: "DIR", path: true, fallback: "a" },
    "file": { help: "", value: "FILE", path: true, fallback: "" },
  };
  strictEqual(parseOptions(table, ["--file="]).file, "");
  for (const arg of ["--dir=", "--dir=/a,/b", "--file=a,b"]) {
    throws(() => parseOptions(table, [arg]), /must be (DIR|FILE), a path without a comma/);
  }
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
