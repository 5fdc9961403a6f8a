import { doesNotMatch, match, strictEqual } from "node:assert/strict";

const ROOT = new URL("..", import.meta.url).pathname;

Deno.test("every verb of skerry answers --help, and needs no hub for it", async (t) => {
  for (const [verb, option] of Object.entries(OPTIONS)) {
    await t.step(verb, async () => {
      const { code, stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-prompt", "-P=cli", "cli/skerry.ts", verb, "--help"],
        cwd: ROOT,
      }).output();
      const text = new TextDecoder().decode(stdout);
      strictEqual(code, 0);
      match(text, new RegExp(`^Usage: deno task skerry ${verb} `));
      match(text, option);
    });
  }
});

const OPTIONS = {
  token: /--node NAME/,
  join: /--hub HOST:PORT/,
  status: /--kubeconfig FILE/,
  apply: /--file FILE/,
};

Deno.test("skerry token create says what --ttl and --uses take", async () => {
  for (
    const [option, wanted] of [
      ["--ttl=-1", /--ttl: must be MINUTES, a whole number from 1 to 525600: current value is -1/],
      ["--uses=0", /--uses: must be N, a whole number from 1 to 10000: current value is 0/],
    ] as const
  ) {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-prompt", "-P=cli", "cli/skerry.ts"],
        ...["token", "create", "--node=gw1", option],
      ],
      cwd: ROOT,
    }).output();
    strictEqual(code, 64);
    match(new TextDecoder().decode(stderr), wanted);
  }
});

Deno.test("skerry says what is wrong with the kubeconfig or the hub that it is given", async (t) => {
  const folder = await Deno.makeTempDir();
  const [one, two] = [`${folder}/one`, `${folder}/two`];
  for (const file of [one, two]) await Deno.writeTextFile(file, "apiVersion: v2");
  const cases: [args: string[], env: Record<string, string>, code: number, told: string][] = [
    [["status", `--kubeconfig=${folder}`], {}, 1, `Cannot read ${folder}: it is a folder`],
    [
      ["status", `--kubeconfig=${one}`],
      {},
      1,
      `kubeconfig ${one}: apiVersion is "v2": it must be v1`,
    ],
    [["status"], { KUBECONFIG: `${one}:${two}` }, 64, `several files, ${one} and ${two}, `],
    [["status"], { KUBECONFIG: `${folder}/none:${two}` }, 1, `kubeconfig ${two}: apiVersion`],
    [["join", "--hub=hub:99999", "--token=x"], {}, 64, "--hub: must be HOST:PORT, "],
    [["join", "--hub=hub:1", "--name=GW_1"], {}, 64, "--name: must be NAME, small letters"],
  ];
  for (const [args, env, wanted, told] of cases) {
    await t.step(`${args.join(" ")} ${JSON.stringify(env)}`, async () => {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-prompt", "-P=cli", "cli/skerry.ts", ...args],
        cwd: ROOT,
        env,
      }).output();
      const text = new TextDecoder().decode(stderr);
      strictEqual(code, wanted, text);
      strictEqual(text.includes(told), true, text);
      strictEqual(text.trimEnd().split("\n").length, 1, text);
      doesNotMatch(text, /backtrace/i);
    });
  }
  await Deno.remove(folder, { recursive: true });
});
