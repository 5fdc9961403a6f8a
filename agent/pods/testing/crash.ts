import type { FakeMachine } from "../../runtimes/fake/mod.ts";
import type { Runtime } from "../../runtimes/mod.ts";
import { type PodBench, startBench } from "./bench.ts";

/** Where the agent dies: at which call to the runtime, and whether the runtime still did it. */
export interface Death {
  readonly call: number;
  readonly when: "before" | "after";
}

const CHANGES = new Set([
  "imageStatus",
  "runSandbox",
  "createContainer",
  "startContainer",
  "stopContainer",
  "stopSandbox",
  "removeSandbox",
  "removeContainer",
  "execSync",
  "updateResources",
  "observe",
]);

/** A runtime that never answers the call at which the agent is to die. */
function deadly(runtime: Runtime, death: Death | undefined, hit: (call: string) => void): Runtime {
  let calls = 0;
  return new Proxy(runtime, {
    get(target, key) {
      const value = Reflect.get(target, key) as unknown;
      if (typeof value !== "function") return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (!CHANGES.has(String(key))) return method;
      return async (...args: unknown[]) => {
        if (++calls !== death?.call) return await method(...args);
        if (death.when === "after") await method(...args);
        hit(String(key));
        const signal = args.find((one) => one instanceof AbortSignal);
        return await new Promise((_, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
          if (signal?.aborted) reject(signal.reason);
        });
      };
    },
  });
}

/** Runs `work`, kills the agent where `death` says, and starts it again. Returns the call it died at. */
export async function survive(
  host: FakeMachine,
  death: Death,
  work: (bench: PodBench, arm: () => Promise<void>) => Promise<void>,
): Promise<string | undefined> {
  let armed: Death | undefined;
  let died: string | undefined;
  const hit = Promise.withResolvers<void>();
  await using bench = await startBench({
    connect: () =>
      deadly(host.connect(), armed, (call) => {
        died = call;
        hit.resolve();
      }),
    limit: 5000,
  });
  let ended = false;
  const kill = hit.promise.then(async () => {
    armed = undefined;
    if (!ended) await bench.restart();
  });
  await work(bench, async () => {
    armed = death;
    await bench.restart();
  });
  ended = true;
  hit.resolve();
  await kill;
  return died;
}
