/**
 * The command line tool: `deno task skerry VERB [options]`. Runs with `-P=cli`. One file a verb.
 */
import { AppError, errorText } from "../core/base/mod.ts";
import { EXIT } from "../core/parts/mod.ts";
import { runApply } from "./apply.ts";
import { runCheck } from "./check.ts";
import { runJoin } from "./join.ts";
import { fail, say } from "./say.ts";
import { runStatus } from "./status.ts";
import { runToken } from "./token.ts";

/** A verb: what it is for, and what runs it. */
interface Verb {
  readonly help: string;
  run(args: readonly string[]): Promise<void>;
}

const VERBS: Readonly<Record<string, Verb>> = {
  token: { help: "create, list or revoke join tokens", run: runToken },
  join: { help: "make this machine a node, without starting the agent", run: runJoin },
  status: { help: "show the hub, its nodes and their services", run: runStatus },
  check: { help: "look at what this gateway needs, and say what is missing", run: runCheck },
  apply: { help: "create or update objects from a file", run: runApply },
};

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const verb = VERBS[name ?? ""];
  if (!verb) {
    const list = Object.entries(VERBS).map(([key, { help }]) => `  ${key.padEnd(10)} ${help}`);
    const text = ["Usage: deno task skerry VERB [options]", "", ...list, ""].join("\n");
    if (name === undefined || name === "--help" || name === "help") {
      say(text);
      return name === undefined ? EXIT.usage : EXIT.ok;
    }
    return fail(`there is no verb ${JSON.stringify(name)}\n${text}`, EXIT.usage);
  }
  await verb.run(rest);
  return EXIT.ok;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    const usage = error instanceof AppError && error.code === "BadRequest";
    Deno.exit(fail(errorText(error), usage ? EXIT.usage : EXIT.failure));
  }
}
