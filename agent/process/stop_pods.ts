import { type Clock, deadline, errorText, type Logger, seconds } from "../../core/base/mod.ts";
import { LABEL, type Runtime } from "../runtimes/mod.ts";

/** How long a container gets to end by itself, and how long all of it may take. */
const GRACE = seconds(5);
const LIMIT = seconds(30);

/**
 * Stops and removes every pod of this node, for an agent that is told not to leave any running
 * (`--stop-pods`, which `up` uses). The pod objects stay: the next start of the agent runs them again.
 */
export async function stopPods(
  runtime: Runtime,
  node: string,
  options: { readonly clock: Clock; readonly log: Logger },
): Promise<void> {
  const { clock, log } = options;
  using limit = deadline(clock, LIMIT, () => new Error("pods took too long to stop"));
  try {
    const { sandboxes, containers } = await runtime.observe(limit.signal);
    const ours = sandboxes.filter((sandbox) => sandbox.labels[LABEL.node] === node);
    await Promise.all(ours.map(async ({ id }) => {
      const running = containers.filter((one) => one.sandboxId === id && one.state === "running");
      await Promise.all(running.map((one) => runtime.stopContainer(one.id, GRACE, limit.signal)));
      await runtime.stopSandbox(id, limit.signal);
      await runtime.removeSandbox(id, limit.signal);
    }));
    log.info("pods stopped", { count: ours.length });
  } catch (error) {
    log.error("some pods may still run", { error: errorText(error) });
  }
}
