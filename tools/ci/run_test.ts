import assert from "node:assert/strict";

const SCRIPT = new URL("../../.ci/run", import.meta.url);

/** Stands for npx: fails the subcommand in `$FAILS`, prints `$TESTS` for the tests. */
const FAKE_NPX = `#!/bin/sh
shift 2
echo "npm warn something" >&2
case "$1 $2" in "task test") printf "%b" "$TESTS"; exit "\${TEST_CODE:-0}" ;; esac
[ "$1" != "$FAILS" ]
`;

/** Runs a copy of the CI script with a fake npx; gives the exit code and the last line. */
async function ci(env: Readonly<Record<string, string>>): Promise<[code: number, last: string]> {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/.ci`);
    await Deno.copyFile(SCRIPT, `${root}/.ci/run`);
    await Deno.writeTextFile(`${root}/npx`, FAKE_NPX, { mode: 0o755 });
    const output = await new Deno.Command("bash", {
      args: [`${root}/.ci/run`],
      env: { PATH: `${root}:${Deno.env.get("PATH")}`, FAILS: "", ...env },
      stdin: "null",
    }).output();
    const lines = new TextDecoder().decode(output.stdout).trimEnd().split("\n");
    return [output.code, lines.at(-1) ?? ""];
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const CASES: readonly [name: string, env: Record<string, string>, code: number, last: string][] = [
  ["sums the gate and the tests", { TESTS: "x\\n7 passed, 0 failed\\n" }, 0, "11 passed, 0 failed"],
  [
    "counts a failed gate step",
    { TESTS: "7 passed, 0 failed\\n", FAILS: "lint" },
    1,
    "10 passed, 1 failed",
  ],
  [
    "goes on after a failed set-up",
    { TESTS: "7 passed, 0 failed\\n", FAILS: "install" },
    1,
    "10 passed, 1 failed",
  ],
  [
    "counts failed tests",
    { TESTS: "7 passed, 2 failed\\n", TEST_CODE: "1" },
    1,
    "11 passed, 2 failed",
  ],
  ["fails when the tests cannot be counted", { TESTS: "boom\\n" }, 1, "4 passed, 1 failed"],
  [
    "fails when the exit code contradicts",
    { TESTS: "7 passed, 0 failed\\n", TEST_CODE: "3" },
    1,
    "11 passed, 1 failed",
  ],
  [
    "takes the last sum",
    { TESTS: "1 passed, 0 failed\\n7 passed, 0 failed, 2 skipped\\n" },
    0,
    "11 passed, 0 failed",
  ],
];

for (const [name, env, code, last] of CASES) {
  Deno.test(`.ci/run ${name}`, async () => assert.deepEqual(await ci(env), [code, last]));
}
