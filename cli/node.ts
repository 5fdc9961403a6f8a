/**
 * Starts one part by hand: `deno task hub|agent|runner [options]`. Runs with `-P=launcher`: it may
 * start the Deno binary and do nothing else; the part gets its own permission set.
 */
import { AppError, errorText } from "../core/base/mod.ts";
import {
  AGENT_OPTIONS,
  EXIT,
  HUB_OPTIONS,
  type HubOptions,
  optionsHelp,
  parseOptions,
  RUNNER_OPTIONS,
} from "../core/parts/mod.ts";
import { clusterAccess } from "../core/kube/mod.ts";
import { agentMain } from "./agent_main.ts";
import { endedText, launcherStops, launchPart, type PartSpec, ROOT } from "./launch.ts";
import { foundLibrary } from "./library.ts";
import { fail, say } from "./say.ts";

const TABLES = { hub: HUB_OPTIONS, agent: AGENT_OPTIONS, runner: RUNNER_OPTIONS } as const;

async function main(args: readonly string[]): Promise<number> {
  const [part, ...rest] = args;
  if (part !== "hub" && part !== "agent" && part !== "runner") {
    return fail("Which part should start? Say hub, agent or runner.", EXIT.usage);
  }
  if (rest.includes("--help")) {
    say(optionsHelp(`deno task ${part} [options]`, TABLES[part]));
    return EXIT.ok;
  }
  const stops = launcherStops();
  const running = launchPart(await readSpec(part, rest), stops);
  running.ready.then(
    (facts) => {
      say(`${part} is ready`);
      for (const [key, value] of Object.entries(facts)) say(`  ${key.padEnd(14)} ${value}`);
    },
    () => {},
  );
  const ended = await running.ended;
  if (stops.stop.aborted || ended.code === EXIT.ok) return ended.code;
  return fail(endedText(part, ended), ended.code);
}

async function readSpec(part: PartSpec["part"], args: readonly string[]): Promise<PartSpec> {
  switch (part) {
    case "hub":
      return await hubSpec(parseOptions(HUB_OPTIONS, args));
    case "agent":
      return { part, options: parseOptions(AGENT_OPTIONS, args), main: await agentMain(ROOT) };
    case "runner": {
      const options = parseOptions(RUNNER_OPTIONS, args);
      return { part, options, library: options.libwasmtime || foundLibrary() };
    }
  }
}

/** The launcher alone can read which host the hub is to reach: the hub is started with that right. */
async function hubSpec(options: HubOptions): Promise<PartSpec> {
  if (options.kubeconfig === "") return { part: "hub", options };
  return { part: "hub", options, cluster: await clusterAccess(options.kubeconfig) };
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    Deno.exit(fail(errorText(error), error instanceof AppError ? EXIT.usage : EXIT.failure));
  }
}
