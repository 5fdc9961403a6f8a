import { strictEqual } from "node:assert/strict";
import { partArgs, type PartSpec } from "../../cli/launch.ts";
import {
  AGENT_OPTIONS,
  agentPermissions,
  HUB_OPTIONS,
  hubPermissions,
  parseOptions,
  RUNNER_OPTIONS,
  runnerPermissions,
} from "../../core/parts/mod.ts";

const ROOT = new URL("../../", import.meta.url);

interface Probe {
  readonly read: string;
  readonly write: string;
  readonly connect: string;
  readonly run: string;
  readonly ffi: string;
  readonly env: string;
}

/** Runs the probe with exactly the flags that the launcher gives a part. */
async function probe(flags: readonly string[], file: string, host: string): Promise<Probe> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...flags,
      new URL("permission_probe.ts", import.meta.url).pathname,
      file,
      host,
      "/bin/true",
    ],
    cwd: ROOT,
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (text === "") throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(text) as Probe;
}

/** The flags of a part, up to its entry file. */
function flagsOf(spec: PartSpec): string[] {
  const args = partArgs(spec);
  return args.slice(0, args.findIndex((arg) => arg.endsWith("/main.ts")));
}

function specs(state: string, port: number): PartSpec[] {
  return [
    {
      part: "hub",
      options: { ...parseOptions(HUB_OPTIONS, []), "state-dir": state, "node-port": port },
    },
    {
      part: "agent",
      main: "/agent/main.ts",
      options: { ...parseOptions(AGENT_OPTIONS, []), "state-dir": state, hub: `127.0.0.1:${port}` },
    },
    {
      part: "runner",
      options: { ...parseOptions(RUNNER_OPTIONS, []), "state-dir": state, "gateway-port": port },
      library: "/nonexistent/libwasmtime.so",
    },
  ];
}

Deno.test("every part is refused a file, a host and a program outside its permission set", async (t) => {
  const outside = await Deno.makeTempDir();
  await Deno.writeTextFile(`${outside}/secret`, "x");
  for (const spec of specs(`${outside}/state`, 1)) {
    await t.step(spec.part, async () => {
      // A documentation address: nothing may be sent there, and nothing is, as the set refuses it.
      const seen = await probe(flagsOf(spec), `${outside}/secret`, "192.0.2.1:443");
      strictEqual(seen.read, "refused");
      strictEqual(seen.write, "refused");
      strictEqual(seen.connect, "refused");
      strictEqual(seen.run, "refused");
      strictEqual(seen.env, "refused");
      strictEqual(seen.ffi, spec.part === "runner" ? "done" : "refused");
    });
  }
  await Deno.remove(outside, { recursive: true });
});

Deno.test("every part may use its own state folder and its own port", async (t) => {
  const state = await Deno.makeTempDir();
  await Deno.writeTextFile(`${state}/mine`, "x");
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  for (const spec of specs(state, listener.addr.port)) {
    await t.step(spec.part, async () => {
      const host = spec.part === "hub"
        ? `0.0.0.0:${listener.addr.port}`
        : `127.0.0.1:${listener.addr.port}`;
      const seen = await probe(flagsOf(spec), `${state}/mine`, host);
      strictEqual(seen.read, "done");
      strictEqual(seen.write, "done");
      strictEqual(seen.connect, "done");
    });
  }
  await Deno.remove(state, { recursive: true });
});

Deno.test("an agent that listens for pods reaches no more by that than this machine", async () => {
  const [, agent] = specs("/nonexistent/state", 1);
  if (agent?.part !== "agent") throw new Error("specs() has changed");
  const flags = flagsOf(agent);
  const port = agent.options["api-port"];
  const connect = async (host: string): Promise<string> =>
    (await probe(flags, "/etc/hostname", host)).connect;
  for (const host of [`192.0.2.1:${port}`, `0.0.0.0:${port + 1}`]) {
    strictEqual(await connect(host), "refused", host);
  }
  strictEqual(await connect(`0.0.0.0:${port}`) === "refused", false);
});

Deno.test("the launcher may run nothing but the Deno binary, and open no connection", async () => {
  const flags = ["run", "--no-prompt", "--quiet", "-P=launcher", `--allow-run=${Deno.execPath()}`];
  const seen = await probe(flags, "/etc/hostname", "127.0.0.1:1");
  strictEqual(seen.run, "refused");
  strictEqual(seen.read, "refused");
  strictEqual(seen.write, "refused");
  strictEqual(seen.connect, "refused");
  strictEqual(seen.ffi, "refused");
});

Deno.test("the named sets in deno.json grant what the default options need", async () => {
  const config = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const library = "unused";
  const wanted = {
    cloud: hubPermissions(parseOptions(HUB_OPTIONS, [])),
    agent: agentPermissions(parseOptions(AGENT_OPTIONS, [])),
    runner: runnerPermissions(parseOptions(RUNNER_OPTIONS, []), library),
  };
  for (const [name, permissions] of Object.entries(wanted)) {
    for (const kind of ["read", "write", "net"] as const) {
      const granted: string[] = config.permissions[name][kind];
      for (const item of permissions[kind]) {
        // A socket's path must be absolute there; the default is below the working directory.
        const covered = item === library || item.startsWith("unix:.") || granted.includes(item) ||
          granted.some((have) => item.startsWith(`${have}/`) || item.startsWith(`${have}:`));
        strictEqual(covered, true, `set ${name} lacks ${kind} of ${item}`);
      }
    }
  }
});
