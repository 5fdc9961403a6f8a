/**
 * `deno task up`: hub, agent and runner from one command, with an example function. Runs with
 * `-P=launcher`; everything that needs more is a process of its own.
 */
import { AppError, errorText, isAppError, untilAborted } from "../core/base/mod.ts";
import {
  AGENT_OPTIONS,
  EXIT,
  HUB_OPTIONS,
  optionsHelp,
  parseOptions,
  permissionFlags,
  RUNNER_OPTIONS,
  STATE_ROOT,
} from "../core/parts/mod.ts";
import { agentMain } from "./agent_main.ts";
import {
  endedText,
  launcherStops,
  launchPart,
  type LaunchStops,
  lines,
  ROOT,
  type RunningPart,
} from "./launch.ts";
import { foundLibrary } from "./library.ts";
import type { Preflight } from "./preflight.ts";
import { fail, say } from "./say.ts";
import { ALREADY_JOINED } from "./token.ts";

const UP_OPTIONS = {
  "state-dir": { help: "folder of all state", value: "DIR", path: true, fallback: STATE_ROOT },
  "name": AGENT_OPTIONS.name,
  "cri-socket": AGENT_OPTIONS["cri-socket"],
  "pod-logs": AGENT_OPTIONS["pod-logs"],
  "pod-cidr": AGENT_OPTIONS["pod-cidr"],
  "device-plugins": AGENT_OPTIONS["device-plugins"],
  "host-paths": AGENT_OPTIONS["host-paths"],
  "allow-privileged": AGENT_OPTIONS["allow-privileged"],
  "allowed-unsafe-sysctls": AGENT_OPTIONS["allowed-unsafe-sysctls"],
  "function-hosts": {
    ...AGENT_OPTIONS["function-hosts"],
    // On this machine, for trying things out; an agent by itself allows none.
    fallback: ["127.0.0.1", "localhost"] as readonly string[],
  },
  "keep-pods": { help: "leave containers running at the end", fallback: false },
  "log-level": { ...AGENT_OPTIONS["log-level"], fallback: "warn" },
} as const;

type ReadyFacts = Awaited<RunningPart["ready"]>;
type UpOptions = ReturnType<typeof parseOptions<typeof UP_OPTIONS>>;

/** Runs a helper script to its end and returns what it printed. */
async function script(
  flags: readonly string[],
  file: string,
  args: readonly string[],
  stop: AbortSignal,
): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    signal: stop,
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      "--cached-only",
      ...flags,
      new URL(file, import.meta.url).pathname,
      ...args,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const out: string[] = [];
  for await (const line of lines(child.stdout)) out.push(line);
  const { code } = await child.status;
  if (code !== 0) throw new AppError("InternalError", `${file} ended with exit code ${code}`);
  return out.join("\n");
}

async function preflight(options: UpOptions, stop: AbortSignal): Promise<Preflight> {
  const socket = options["cri-socket"];
  const text = await script(
    [
      "--allow-net=127.0.0.1,0.0.0.0",
      "--allow-sys=hostname,networkInterfaces",
      ...permissionFlags({ read: socket === "none" ? [] : [socket] }),
    ],
    "./preflight.ts",
    [`--cri-socket=${socket}`],
    stop,
  );
  return JSON.parse(text) as Preflight;
}

/** A verb of the command line tool, with the hub's administrator credentials. */
function skerry(kubeconfig: string, args: readonly string[], stop: AbortSignal): Promise<string> {
  return script(["-P=cli"], "./skerry.ts", [...args, `--kubeconfig=${kubeconfig}`], stop);
}

function startHub(options: UpOptions, ports: Preflight["ports"], stops: LaunchStops): RunningPart {
  return launchPart({
    part: "hub",
    options: {
      ...parseOptions(HUB_OPTIONS, []),
      "state-dir": `${options["state-dir"]}/hub`,
      "node-port": ports.node,
      "api-port": ports.api,
      "kubelet-port": ports.kubelet,
      "metrics-port": ports.hubMetrics,
      "log-level": options["log-level"],
    },
  }, stops);
}

function startRunner(
  options: UpOptions,
  ports: Preflight["ports"],
  stops: LaunchStops,
): RunningPart {
  return launchPart({
    part: "runner",
    library: foundLibrary(),
    options: {
      ...parseOptions(RUNNER_OPTIONS, []),
      "state-dir": `${options["state-dir"]}/runner`,
      "control-socket": `${options["state-dir"]}/runner/control.sock`,
      "gateway-port": ports.gateway,
      "log-level": options["log-level"],
    },
  }, stops);
}

async function startAgent(
  options: UpOptions,
  found: Preflight,
  tokenFile: string,
  stops: LaunchStops,
): Promise<RunningPart> {
  const root = options["state-dir"];
  return launchPart({
    part: "agent",
    main: await agentMain(ROOT),
    options: {
      ...parseOptions(AGENT_OPTIONS, []),
      "state-dir": `${root}/agent`,
      "hub": `127.0.0.1:${found.ports.node}`,
      "token-file": tokenFile,
      "name": options.name || found.hostname,
      "cri-socket": found.criSocket === "ok" ? options["cri-socket"] : "none",
      "runner-socket": `${root}/runner/control.sock`,
      "manifests": `${root}/manifests`,
      "function-files": `${root}/functions`,
      "pod-logs": options["pod-logs"],
      "pod-cidr": options["pod-cidr"],
      "device-plugins": options["device-plugins"],
      "host-paths": options["host-paths"],
      "allow-privileged": options["allow-privileged"],
      "allowed-unsafe-sysctls": options["allowed-unsafe-sysctls"],
      "function-hosts": options["function-hosts"],
      "api-port": found.ports.local,
      "metrics-port": found.ports.agentMetrics,
      "stop-pods": !options["keep-pods"],
      "log-level": options["log-level"],
    },
  }, stops);
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    say(optionsHelp("deno task up [options]", UP_OPTIONS));
    return EXIT.ok;
  }
  const options = parseOptions(UP_OPTIONS, args);
  const { stop, force } = launcherStops();
  const found = await preflight(options, stop);
  for (const [name, port] of Object.entries(found.taken)) {
    say(`port ${port} is taken; ${name} uses ${found.ports[name as keyof Preflight["ports"]]}`);
  }
  if (found.criSocket !== "ok" && options["cri-socket"] !== "none") {
    say(`no container runtime at ${options["cri-socket"]} (${found.criSocket}): functions only`);
  }
  // Each part stops by its own signal, in an order: agent, runner, then the hub.
  const stops = {
    hub: new AbortController(),
    runner: new AbortController(),
    agent: new AbortController(),
  };
  const parts: Partial<Record<keyof typeof stops, RunningPart>> = {};
  // Aborts when a person stops this, or when a part has ended for good, at whatever point.
  const broken = new AbortController();
  const over = AbortSignal.any([stop, broken.signal]);
  const watch = (part: RunningPart): RunningPart => {
    part.ended.then((how) => {
      broken.abort(new Error(`${endedText(part.part, how)}; stopping`));
    });
    return part;
  };
  const stopsOf = (part: keyof typeof stops): LaunchStops => ({ stop: stops[part].signal, force });
  let code: number = EXIT.ok;
  try {
    say("starting the hub, the runner and the agent ...");
    parts.hub = watch(startHub(options, found.ports, stopsOf("hub")));
    parts.runner = watch(startRunner(options, found.ports, stopsOf("runner")));
    const hub = await readyOrOver(parts.hub, over);
    const kubeconfig = String(hub["kubeconfig"]);
    const tokenFile = `${options["state-dir"]}/agent-token`;
    const answer = await skerry(kubeconfig, [
      "token",
      "create",
      `--node=${options.name || found.hostname}`,
      `--out=${tokenFile}`,
      // This machine's own node: it may come back after somebody deleted it.
      "--replace",
      "--unless-joined",
    ], over);
    const token = answer === ALREADY_JOINED ? "" : tokenFile;
    parts.agent = watch(await startAgent(options, found, token, stopsOf("agent")));
    const agent = await readyOrOver(parts.agent, over);
    const runner = await readyOrOver(parts.runner, over);
    const example = new URL("../wasm-examples/hello/build/hello.yaml", import.meta.url).pathname;
    await skerry(kubeconfig, ["apply", `--file=${example}`, "--wait=60"], over);
    const flags = options["state-dir"] === STATE_ROOT ? "" : ` --kubeconfig ${kubeconfig}`;
    sayReady({ kubeconfig, flags, found, agent, runner });
    await untilAborted(over);
    over.throwIfAborted();
  } catch (error) {
    const why = broken.signal.aborted ? broken.signal.reason : error;
    const usage = isAppError(why, "BadRequest");
    if (!stop.aborted) code = fail(errorText(why), usage ? EXIT.usage : EXIT.failure);
  }
  if (stop.aborted) say("\nstopping ... (Ctrl-C again ends everything at once)");
  for (const name of ["agent", "runner", "hub"] as const) {
    stops[name].abort();
    await parts[name]?.ended;
  }
  return code;
}

function sayReady(facts: {
  kubeconfig: string;
  /** What `skerry` needs to find this hub. */
  flags: string;
  found: Preflight;
  agent: Readonly<Record<string, unknown>>;
  runner: Readonly<Record<string, unknown>>;
}): void {
  const { found, kubeconfig } = facts;
  const address = found.addresses[0] ?? "127.0.0.1";
  say([
    "",
    "Skerry is up.",
    `  kubectl      export KUBECONFIG=${kubeconfig}`,
    `  function     curl http://${facts.runner["gateway"]}/default/hello`,
    `  local API    kubectl --kubeconfig ${facts.agent["kubeconfig"]} get pods -A`,
    `  2nd gateway  deno task skerry token create --node NAME${facts.flags}   (here), then there:`,
    `               deno task agent --hub ${address}:${found.ports.node} --token TOKEN --name NAME`,
    "  stop         Ctrl-C",
    "",
  ].join("\n"));
}

async function readyOrOver(part: RunningPart, over: AbortSignal): Promise<ReadyFacts> {
  return await Promise.race([
    part.ready,
    untilAborted(over).then(() => Promise.reject(over.reason)),
  ]);
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    Deno.exit(fail(errorText(error), error instanceof AppError ? EXIT.usage : EXIT.failure));
  }
}
