import { AppError, systemClock } from "../core/base/mod.ts";
import { joinHub, loadIdentity } from "../core/join/mod.ts";
import { AGENT_OPTIONS, optionsHelp, parseOptions } from "../core/parts/mod.ts";
import { stopSignal } from "./launch.ts";
import { say } from "./say.ts";

const OPTIONS = {
  hub: AGENT_OPTIONS.hub,
  token: AGENT_OPTIONS.token,
  "token-file": AGENT_OPTIONS["token-file"],
  name: AGENT_OPTIONS.name,
  "state-dir": AGENT_OPTIONS["state-dir"],
} as const;

/** `skerry join`: gets the node's certificate, so that the agent starts without a token. */
export async function runJoin(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) return say(optionsHelp("deno task skerry join [options]", OPTIONS));
  const options = parseOptions(OPTIONS, args);
  const folder = `${options["state-dir"]}/identity`;
  const before = loadIdentity(folder);
  if (before) {
    throw new AppError(
      "AlreadyExists",
      `this machine is node ${before.node} already: remove ${folder} to join anew`,
    );
  }
  const token = options.token ||
    (options["token-file"] ? await Deno.readTextFile(options["token-file"]) : "");
  if (options.hub === "" || token === "") {
    throw new AppError("BadRequest", "say which hub and with what: --hub HOST:PORT --token TOKEN");
  }
  const identity = await joinHub({
    hub: options.hub,
    token,
    name: options.name || Deno.hostname(),
    folder,
    clock: systemClock,
    signal: stopSignal(),
  });
  say(
    `joined as node ${identity.node}; start the agent with: deno task agent --hub ${options.hub}`,
  );
}
