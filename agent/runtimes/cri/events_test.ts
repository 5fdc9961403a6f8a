import { create } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { AppError, ms, seconds, silentLogger, VirtualClock } from "../../../core/base/mod.ts";
import { LABEL } from "../runtime.ts";
import { CriEvents } from "./events.ts";
import { ContainerSchema, ContainerState } from "./gen/runtime_pb.ts";
import type { Listing } from "./observe.ts";
import type { Hint } from "./relist.ts";

const AWAY = new AppError("ServiceUnavailable", "away");
const NO_PUSH = new AppError("Unsupported", "no push");

/** A runtime whose lists and pushes the test writes by hand. */
class Bench implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly states = new Map<string, ContainerState>();
  readonly seen: string[] = [];
  lists = 0;
  up = true;
  events: CriEvents;
  #onHint: ((hint: Hint | undefined) => void) | undefined;
  readonly #stop = new AbortController();
  readonly #done: Promise<unknown>;

  constructor(push: "push" | "no push") {
    this.events = new CriEvents({
      clock: this.clock,
      log: silentLogger,
      list: () => {
        this.lists++;
        return this.up ? Promise.resolve(this.#listing()) : Promise.reject(AWAY);
      },
      push: (onHint, signal) => {
        if (push === "no push") return Promise.reject(NO_PUSH);
        if (!this.up) return Promise.reject(AWAY);
        this.#onHint = onHint;
        return new Promise((_, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason), { once: true })
        );
      },
    });
    this.#done = Promise.all([this.#read(), this.events.run(this.#stop.signal)]);
  }

  hint(hint: Hint): void {
    this.#onHint?.(hint);
  }

  /** Hints since the last call. */
  async after(span: number): Promise<string[]> {
    await this.clock.advance(ms(span));
    return this.seen.splice(0);
  }

  async #read(): Promise<void> {
    for await (const { podUid } of this.events.queue) this.seen.push(podUid ?? "*");
  }

  #listing(): Listing {
    const containers = [...this.states].map(([id, state]) =>
      create(ContainerSchema, { id, state, labels: { [LABEL.podUid]: `pod-${id}` } })
    );
    return { sandboxes: [], containers };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
    assert.equal(this.clock.size, 0, "timers left");
  }
}

Deno.test("CriEvents says 'look at everything' when it first reaches the runtime", async () => {
  await using bench = new Bench("push");
  assert.deepEqual(await bench.after(0), ["*"]);
  assert.deepEqual(await bench.after(30_000), []);
});

Deno.test("CriEvents lists every 10 s with a push and every second without, when all is quiet", async () => {
  for (const [push, want] of [["push", 6], ["no push", 60]] as const) {
    await using bench = new Bench(push);
    await bench.after(10_000);
    const before = bench.lists;
    await bench.after(60_000);
    assert.equal(bench.lists - before, want);
  }
});

Deno.test("CriEvents names the pod within 10 ms of CRI's list showing what was pushed", async () => {
  await using bench = new Bench("push");
  bench.states.set("a", ContainerState.CONTAINER_RUNNING);
  await bench.after(25_000);
  bench.hint({ id: "a", kind: "exit" });
  assert.deepEqual(await bench.after(40), []);
  bench.states.set("a", ContainerState.CONTAINER_EXITED);
  assert.deepEqual(await bench.after(10), ["pod-a"]);
  const before = bench.lists;
  await bench.after(5000);
  assert.ok(bench.lists - before <= 1, "goes on listing fast");
});

Deno.test("CriEvents finds a lost event by its slow list", async () => {
  await using bench = new Bench("push");
  bench.states.set("a", ContainerState.CONTAINER_RUNNING);
  await bench.after(25_000);
  bench.states.set("a", ContainerState.CONTAINER_EXITED);
  assert.deepEqual(await bench.after(10_000), ["pod-a"]);
});

Deno.test("CriEvents without a push lists fast after our own calls", async () => {
  await using bench = new Bench("no push");
  bench.states.set("a", ContainerState.CONTAINER_CREATED);
  await bench.after(25_000);
  bench.events.expect();
  await bench.after(1500);
  bench.states.set("a", ContainerState.CONTAINER_RUNNING);
  assert.deepEqual(await bench.after(50), ["pod-a"]);
});

Deno.test("CriEvents looks for a runtime that went away and then says 'look at everything'", async () => {
  await using bench = new Bench("push");
  await bench.after(20_000);
  bench.up = false;
  assert.deepEqual(await bench.after(60_000), []);
  bench.up = true;
  assert.deepEqual(await bench.after(1000), ["*"]);
  bench.states.set("a", ContainerState.CONTAINER_RUNNING);
  bench.hint({ id: "a", kind: "start" });
  assert.deepEqual(await bench.after(10), ["pod-a"]);
});

Deno.test("CriEvents ends when its reader leaves", async () => {
  const bench = new Bench("push");
  await bench.after(seconds(1));
  await bench.events.queue.return();
  await bench[Symbol.asyncDispose]();
});
