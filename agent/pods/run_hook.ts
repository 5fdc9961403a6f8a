import type { Container, HttpGetAction, LifecycleHandler } from "../../core/api/mod.ts";
import { AppError, type Clock, hostAndPort, type Ms, seconds, sleep } from "../../core/base/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";
import { refusedWords } from "./probes/asker.ts";
import { httpGet } from "./probes/http_get.ts";
import { pathOf } from "./probes/http_probe.ts";
import { connectionWords } from "./probes/outcome.ts";
import { httpHandler } from "./probes/spec.ts";

/** What a hook is run with. */
export interface HookTarget {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly container: Container;
  readonly containerId: string;
  /** The pod's own address, or the node's for the node's network. */
  readonly address: string;
  readonly limit: Ms;
}

/** Of what a command printed, as much is told when it failed. */
const OUTPUT = 1024;

/**
 * Runs a lifecycle hook to its end.
 *
 * @throws {AppError} when it failed
 */
export async function runHook(
  handler: LifecycleHandler,
  target: HookTarget,
  signal: AbortSignal,
): Promise<void> {
  if (handler.exec) return await execHook(handler.exec.command ?? [], target, signal);
  if (handler.httpGet) return await httpHook(handler.httpGet, target, signal);
  if (handler.sleep) return await sleep(target.clock, seconds(handler.sleep.seconds), signal);
  throw new AppError("Invalid", "the hook has none of exec, httpGet and sleep");
}

async function execHook(
  command: readonly string[],
  { runtime, containerId, limit }: HookTarget,
  signal: AbortSignal,
): Promise<void> {
  const { exitCode, stdout, stderr } = await runtime.execSync(containerId, command, limit, signal);
  if (exitCode === 0) return;
  const output = [stderr, stdout].map((bytes) =>
    new TextDecoder().decode(bytes.subarray(0, OUTPUT)).trim()
  ).filter(Boolean).join("; ");
  throw new AppError(
    "Conflict",
    `command ${JSON.stringify(command)} ended with exit code ${exitCode}${
      output ? `: ${output}` : ""
    }`,
  );
}

/** As with a kubelet, any answer counts, whatever its status. */
async function httpHook(
  action: HttpGetAction,
  { container, address }: HookTarget,
  signal: AbortSignal,
): Promise<void> {
  const handler = httpHandler(container, action);
  if (handler.type !== "http") {
    throw new AppError("Invalid", handler.type === "none" ? handler.why : "no HTTP action");
  }
  const { port } = handler;
  const hostname = handler.host || address;
  if (!hostname) throw new AppError("Conflict", "the pod has no address yet");
  try {
    await httpGet({ ...handler, hostname, path: pathOf(handler.path) }, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Deno.errors.NotCapable) {
      throw new AppError("Forbidden", refusedWords({ hostname, port }), { cause: error });
    }
    throw new Error(connectionWords(error, hostAndPort(hostname, port)), { cause: error });
  }
}
