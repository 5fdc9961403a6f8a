import { createLogger, errorText, type Logger, type LogLevel, systemClock } from "../base/mod.ts";
import { optionsHelp, type OptionsOf, type OptionTable, parseOptions } from "./options.ts";
import { platformProblem } from "./platform.ts";
import { partEnd } from "./part_end.ts";
import { EXIT, printFailed } from "./ready.ts";
import { exposedCollector, startTrimming } from "./trim.ts";

/** What the body of a part gets. */
export interface PartContext<T extends OptionTable> {
  readonly options: OptionsOf<T>;
  readonly log: Logger;
  /** Aborts at SIGINT, SIGTERM, or when the launcher that started this part is gone. */
  readonly signal: AbortSignal;
}

/**
 * Runs a part as this process: reads the options, sets up the log and the stop signal, runs `body`,
 * ends the process with a code of {@linkcode EXIT}. An error that nobody caught is logged and does
 * not end the process: no message from outside may do that.
 */
export async function runPart<T extends OptionTable>(
  name: string,
  table: T,
  body: (context: PartContext<T>) => Promise<void>,
): Promise<never> {
  const plain = createLogger({ fields: { part: name } });
  const { os, arch } = Deno.build;
  const problem = platformProblem({ os, arch, deno: Deno.version.deno });
  if (problem) {
    plain.error("cannot start", { error: problem });
    Deno.exit(EXIT.unsupported);
  }
  let options: OptionsOf<T>;
  try {
    if (Deno.args.includes("--help")) {
      printOut(optionsHelp(`${name} [options]`, table));
      Deno.exit(EXIT.ok);
    }
    options = parseOptions(table, Deno.args);
    if (options["print-config"]) {
      printOut(`${JSON.stringify(options, undefined, 2)}\n`);
      Deno.exit(EXIT.ok);
    }
  } catch (error) {
    plain.error("cannot start", { error: errorText(error) });
    Deno.exit(EXIT.usage);
  }
  const level = options["log-level"] as LogLevel | undefined;
  const log = createLogger({ fields: { part: name }, ...(level ? { level } : {}) });
  logUncaught(log);
  const collect = exposedCollector();
  if (collect) startTrimming({ clock: systemClock, heap: () => Deno.memoryUsage(), collect });
  try {
    await body({ options, log, signal: stopSignal(log) });
    Deno.exit(EXIT.ok);
  } catch (error) {
    const { code, reason } = partEnd(error);
    log.error("stopped by an error", { error: reason });
    if (Deno.env.get(LAUNCHED) === "1") printFailed(reason);
    Deno.exit(code);
  }
}

/** The environment variable by which the launcher says that standard input is its life line. */
export const LAUNCHED = "SKERRY_LAUNCHED";

function stopSignal(log: Logger): AbortSignal {
  const controller = new AbortController();
  const stop = (why: string): void => {
    if (!controller.signal.aborted) log.info("stopping", { why });
    controller.abort(new Error(`stopping: ${why}`));
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => stop(name));
  }
  if (Deno.env.get(LAUNCHED) === "1") {
    endOfInput().then(() => stop("the launcher is gone"), () => {});
  }
  return controller.signal;
}

async function endOfInput(): Promise<void> {
  const buffer = new Uint8Array(64);
  while (await Deno.stdin.read(buffer) !== null);
}

function logUncaught(log: Logger): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error("a rejection that nobody handled", { error: stackOf(event.reason) });
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    log.error("an error that nobody caught", { error: stackOf(event.error) });
  });
}

function stackOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

function printOut(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
