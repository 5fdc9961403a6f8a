import { doesNotMatch, match, strictEqual } from "node:assert/strict";
import { ROOT } from "./launch.ts";

const DENO = Deno.execPath();

/** Runs a command to its end, in a folder of its own. */
async function run(args: readonly string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(DENO, {
    args: ["run", "--no-prompt", "--quiet", "--cached-only", ...args],
    cwd: ROOT,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, text: `${decoder.decode(stdout)}${decoder.decode(stderr)}` };
}

/** What only a part itself reads: the launcher starts it, and does not start it again. */
const READ_BY_PART: readonly (readonly [part: string, option: string])[] = [
  ["agent", "--register-with-taints=plant"],
  ["agent", "--labels=node-role.kubernetes.io/master="],
  ["agent", "--eviction-hard=memory.available<x"],
  ["agent", "--eviction-minimum-reclaim=nodefs=1Gi"],
  ["agent", "--container-log-max-size=10MB"],
];

const READ_BY_LAUNCHER: readonly (readonly [part: string, option: string])[] = [
  ["agent", "--node-ip=1.2.3"],
  ["agent", "--hub=hub.example.com:99999"],
  ["agent", "--pod-cidr=fd00::/64"],
  ["agent", "--host-paths=srv"],
  ["agent", "--labels=a b=c"],
  ["agent", "--shutdown-grace-period-critical-pods=31"],
  ["hub", "--kubelet-address=0.0.0.0"],
  ["hub", "--advertise=hub.example.com:10000"],
  ["hub", "--service-cidr=10.96.0.0"],
  ["hub", "--peer-cidr=fd00::/8"],
  ["runner", "--gateway-address=eth0"],
];

for (const [part, option] of [...READ_BY_LAUNCHER, ...READ_BY_PART]) {
  Deno.test(`"${part} ${option}" ends with exit code 64 and one line of the launcher`, async () => {
    const folder = await Deno.makeTempDir();
    const { code, text } = await run([
      ...["-P=launcher", `--allow-run=${DENO}`, "cli/node.ts"],
      ...[part, `--state-dir=${folder}`, option],
    ]);
    strictEqual(code, 64, text);
    const lines = text.split("\n").filter((line) => line.startsWith("skerry: "));
    strictEqual(lines.length, 1, text);
    match(lines[0] ?? "", new RegExp(`${option.split("=")[0]}\\b.*(must|lets no node)`));
    doesNotMatch(text, /backtrace|\n\s+at |starting it again/i);
    await Deno.remove(folder, { recursive: true });
  });
}

// As systemd starts them, without the launcher.
for (
  const [main, option] of [
    ["agent/main.ts", "--node-ip=1.2.3"],
    ["cloud/main.ts", "--kubelet-address=0.0.0.0"],
    ["runner/main.ts", "--gateway-address=eth0"],
  ] as const
) {
  Deno.test(`${main} refuses ${option} in one line of its log, before it does anything`, async () => {
    const { code, text } = await run([main, option]);
    strictEqual(code, 64, text);
    const [line = "", ...more] = text.trim().split("\n");
    strictEqual(more.length, 0, text);
    strictEqual(JSON.parse(line).msg, "cannot start");
    match(JSON.parse(line).error, new RegExp(`${option.split("=")[0]}: must be `));
  });
}
