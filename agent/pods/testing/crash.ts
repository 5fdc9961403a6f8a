import assert from "node:assert/strict";
import type { FakeMachine } from "../../runtimes/fake/mod.ts";
import type { Runtime } from "../../runtimes/mod.ts";
import { type BenchOptions, type PodBench, startBench } from "./bench.ts";

/** The calls of the runtime in which an agent of these tests can die. */
export type DeadlyCall =
  | "imageStatus"
  | "runSandbox"
  | "createContainer"
  | "startContainer"
  | "stopContainer"
  | "stopSandbox"
  | "removeSandbox"
  | "execSync"
  | "updateResources"
  | "observe";

/** Where the agent dies: in which call to the runtime, and whether the runtime still did it. */
interface Death {
  readonly call: DeadlyCall;
  /** Counted from 1, of this call alone: calls of different kinds have no order that holds. */
  readonly nth: number;
  readonly when: "before" | "after";
}

/** An agent on a busy machine sees several changes in one look, and may need fewer looks than else. */
const TRIES = 5;

/** What a crash test works with. */
export interface CrashRun<Host> {
  readonly host: Host;
  readonly bench: PodBench;
  /** Where the agent dies, for messages. */
  readonly where: string;
  /** Starts the agent anew with its death ahead of it. */
  arm(): Promise<void>;
}

/**
 * Runs `work` once for each death before and after each of the first calls of each kind; each time
 * the agent is started again when it has died.
 *
 * @param calls how many calls of each kind
 * @param options of the bench
 * @throws {Error} when an agent did not die where it was to
 */
export async function everywhere<Host extends FakeMachine>(
  calls: Partial<Record<DeadlyCall, number>>,
  makeHost: () => Host,
  work: (run: CrashRun<Host>) => Promise<void>,
  options: Omit<BenchOptions, "connect"> = {},
): Promise<void> {
  for (const [call, count] of Object.entries(calls) as [DeadlyCall, number][]) {
    for (let nth = 1; nth <= count; nth++) {
      for (const when of ["before", "after"] as const) {
        const death: Death = { call, nth, when };
        let died = false;
        for (let left = TRIES; left > 0 && !died; left--) {
          died = await survive(makeHost(), death, work, options);
        }
        assert.ok(died, `no ${textOf(death)}`);
      }
    }
  }
}

/** A runtime that never answers the call in which the agent is to die. */
function deadly(runtime: Runtime, death: Death | undefined, hit: () => void): Runtime {
  let calls = 0;
  return new Proxy(runtime, {
    get(target, key) {
      const value = Reflect.get(target, key) as unknown;
      if (typeof value !== "function") return value;
      const method = value.bind(target) as (...args: unknown[]) => unknown;
      if (key !== death?.call) return method;
      return async (...args: unknown[]) => {
        if (++calls !== death.nth) return await method(...args);
        if (death.when === "after") await method(...args);
        hit();
        const signal = args.find((one) => one instanceof AbortSignal);
        return await new Promise((_, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
          if (signal?.aborted) reject(signal.reason);
        });
      };
    },
  });
}

function textOf({ call, nth, when }: Death): string {
  return `death ${when} ${call} ${nth}`;
}

/** Whether the agent died where it was to. */
async function survive<Host extends FakeMachine>(
  host: Host,
  death: Death,
  work: (run: CrashRun<Host>) => Promise<void>,
  options: Omit<BenchOptions, "connect">,
): Promise<boolean> {
  const where = textOf(death);
  let armed: Death | undefined;
  let died = false;
  let ended = false;
  const hit = Promise.withResolvers<void>();
  await using bench = await startBench({
    ...options,
    connect: () =>
      deadly(host.connect(), armed, () => {
        died = true;
        hit.resolve();
      }),
  });
  const kill = hit.promise.then(async () => {
    armed = undefined;
    if (!ended) await bench.restart();
  });
  const arm = async (): Promise<void> => {
    armed = death;
    await bench.restart();
  };
  await work({ host, bench, where, arm });
  ended = true;
  hit.resolve();
  await kill;
  return died;
}
