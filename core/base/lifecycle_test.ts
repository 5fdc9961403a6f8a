import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { untilAborted, VirtualClock } from "./clock.ts";
import { type Service, Supervisor } from "./lifecycle.ts";
import { silentLogger } from "./log.ts";
import { seconds } from "./units.ts";

function supervisor(clock: VirtualClock): Supervisor {
  return new Supervisor({ clock, random: () => 1, log: silentLogger });
}

Deno.test("Supervisor starts services in order and stops them in reverse", async () => {
  const seen: string[] = [];
  const service = (name: string): Service => ({
    name,
    onFailure: "restart",
    async run(signal, ready) {
      seen.push(`start ${name}`);
      ready();
      await untilAborted(signal);
      seen.push(`stop ${name}`);
    },
  });
  const clock = new VirtualClock();
  const stop = new AbortController();
  const all = supervisor(clock);
  const running = all.run([service("a"), service("b")], stop.signal);
  await clock.advance(seconds(1));
  strictEqual(all.ready, true);
  stop.abort();
  await running;
  deepStrictEqual(seen, ["start a", "start b", "stop b", "stop a"]);
  deepStrictEqual(all.states().map((state) => state.phase), ["stopped", "stopped"]);
});

Deno.test("Supervisor restarts a failed service with growing waits and shows why", async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const all = supervisor(clock);
  const starts: number[] = [];
  const running = all.run([{
    name: "shaky",
    onFailure: "restart",
    async run(signal, ready) {
      starts.push(clock.monotonic());
      if (starts.length <= 3) throw new Error("broken pipe");
      ready();
      await untilAborted(signal);
    },
  }], stop.signal);
  await clock.advance(seconds(5));
  deepStrictEqual(starts, [0, 200, 600, 1400]);
  const [state] = all.states();
  strictEqual(state?.phase, "ready");
  strictEqual(state?.restarts, 3);
  strictEqual(state?.lastError, "broken pipe");
  stop.abort();
  await running;
});

Deno.test("Supervisor treats a service that ends by itself as failed", async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const all = supervisor(clock);
  let runs = 0;
  const running = all.run([{
    name: "short",
    onFailure: "restart",
    run: () => (runs++, Promise.resolve()),
  }], stop.signal);
  await clock.advance(seconds(1));
  strictEqual(runs > 1, true);
  stop.abort();
  await running;
});

Deno.test("Supervisor.run() throws the error of a stop-process service after all have stopped", async () => {
  const clock = new VirtualClock();
  const all = supervisor(clock);
  let stopped = false;
  let startedAfter = false;
  await rejects(
    all.run([
      {
        name: "good",
        onFailure: "restart",
        async run(signal, ready) {
          ready();
          await untilAborted(signal);
          stopped = true;
        },
      },
      {
        name: "vital",
        onFailure: "stop-process",
        run: () => Promise.reject(new Error("no disk")),
      },
      {
        name: "after",
        onFailure: "restart",
        run: () => Promise.resolve(void (startedAfter = true)),
      },
    ], new AbortController().signal),
    /no disk/,
  );
  strictEqual(stopped, true);
  strictEqual(startedAfter, false);
});
