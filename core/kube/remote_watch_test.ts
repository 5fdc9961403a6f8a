import assert from "node:assert/strict";
import { AppError, type ErrorCode, isAppError, ms, seconds, VirtualClock } from "../base/mod.ts";
import type { WatchEvent } from "../store/mod.ts";
import { type InitialPage, RemoteWatch } from "./remote_watch.ts";

/** One answer of a server to a watch, that the test writes. */
class Answer {
  readonly body: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;

  readonly from: string;
  readonly signal: AbortSignal;

  constructor(from: string, signal: AbortSignal) {
    this.from = from;
    this.signal = signal;
    this.body = new ReadableStream({ start: (controller) => void (this.#controller = controller) });
    // As the body of a fetch.
    signal.addEventListener("abort", () => this.#controller.error(signal.reason));
  }

  line(text: string): void {
    this.bytes(new TextEncoder().encode(`${text}\n`));
  }

  bytes(chunk: Uint8Array): void {
    this.#controller.enqueue(chunk);
  }

  event(type: string, resourceVersion: string, name?: string): void {
    this.line(JSON.stringify({ type, object: { metadata: { name, resourceVersion } } }));
  }

  end(): void {
    this.#controller.close();
  }

  fail(error: unknown): void {
    this.#controller.error(error);
  }
}

class Rig {
  readonly clock = new VirtualClock();
  readonly answers: Answer[] = [];
  readonly controller = new AbortController();
  readonly watch: RemoteWatch;
  readonly events: AsyncIterator<WatchEvent>;
  /** Thrown by the next calls that open an answer. */
  readonly failures: unknown[] = [];

  constructor(options: { start?: InitialPage; buffer?: number } = {}) {
    this.watch = new RemoteWatch({
      saw: () => {},
      what: "watch of pods",
      clock: this.clock,
      controller: this.controller,
      buffer: options.buffer ?? 100,
      start: options.start ??
        { resourceVersion: "5", body: this.#answer("5", this.controller.signal).body },
      open: (version, signal) => {
        const failure = this.failures.shift();
        if (failure) return Promise.reject(failure);
        return Promise.resolve(this.#answer(version, signal).body);
      },
    });
    this.events = this.watch[Symbol.asyncIterator]();
  }

  #answer(version: string, signal: AbortSignal): Answer {
    const answer = new Answer(version, signal);
    this.answers.push(answer);
    return answer;
  }

  get last(): Answer {
    const last = this.answers.at(-1);
    assert.ok(last);
    return last;
  }

  /** The next event in short: its type, version and name. */
  async next(): Promise<string> {
    const { done, value } = await this.events.next();
    if (done) return "end";
    const name = value.type === "BOOKMARK" ? "" : ` ${value.object.metadata.name}`;
    const end = value.type === "BOOKMARK" && value.initialEnd ? " end" : "";
    return `${value.type} ${value.resourceVersion}${name}${end}`;
  }

  async ends(code: ErrorCode, text = /./): Promise<void> {
    await assert.rejects(this.events.next(), (error) => {
      assert.ok(isAppError(error, code), String(error));
      assert.match(error.message, text);
      return true;
    });
    assert.equal(await this.next(), "end", "an error is told once");
    assert.equal(this.clock.size, 0, "no timer is left");
    assert.ok(this.controller.signal.aborted);
  }
}

/** Lets streams run; they may take several turns of the event loop. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

Deno.test("a watch whose server ends it goes on from the last version, without gap or repeat", async () => {
  const rig = new Rig();
  rig.last.event("ADDED", "6", "a");
  assert.equal(await rig.next(), "ADDED 6 a");
  for (const version of ["7", "8", "9"]) {
    await rig.clock.advance(seconds(60));
    rig.last.event("MODIFIED", version, "a");
    rig.last.end();
    assert.equal(await rig.next(), `MODIFIED ${version} a`);
    await settle();
    assert.equal(rig.last.from, version);
  }
  await rig.clock.advance(seconds(60));
  rig.last.event("BOOKMARK", "20");
  rig.last.end();
  assert.equal(await rig.next(), "BOOKMARK 20");
  await settle();
  assert.deepEqual(rig.answers.map(({ from }) => from), ["5", "7", "8", "9", "20"]);
  rig.watch.abort();
  assert.equal(await rig.next(), "end");
  await settle();
  assert.equal(rig.clock.size, 0);
});

Deno.test("an answer that ends at once is a failure, after what it told", async () => {
  const rig = new Rig();
  await rig.clock.advance(ms(999));
  rig.last.event("ADDED", "6", "a");
  rig.last.end();
  await settle();
  assert.equal(rig.answers.length, 1);
  assert.equal(await rig.next(), "ADDED 6 a");
  await rig.ends("ServiceUnavailable", /watch of pods: the server ended it at once/);
});

Deno.test("a watch that is silent for 75 s ends with Timeout; anything that comes is heard", async () => {
  const rig = new Rig();
  await settle();
  await rig.clock.advance(seconds(74));
  rig.last.event("BOOKMARK", "6");
  assert.equal(await rig.next(), "BOOKMARK 6");
  await rig.clock.advance(seconds(74));
  rig.last.line("");
  await settle();
  await rig.clock.advance(seconds(74));
  assert.ok(!rig.controller.signal.aborted);
  await rig.clock.advance(seconds(1));
  await rig.ends("Timeout", /watch of pods: nothing came for 75 s/);
});

Deno.test("a reader that is too slow gets what waits, then Expired", async () => {
  const rig = new Rig({ buffer: 3 });
  for (const version of ["6", "7", "8", "9", "10"]) rig.last.event("ADDED", version, "a");
  await settle();
  for (const version of ["6", "7", "8"]) assert.equal(await rig.next(), `ADDED ${version} a`);
  await rig.ends("Expired", /the reader is 3 events behind/);
});

Deno.test.each<[string, (answer: Answer) => void, ErrorCode, RegExp]>([
  [
    "an ERROR 410 in its stream",
    (answer) => answer.line('{"type":"ERROR","object":{"kind":"Status","code":410}}'),
    "Expired",
    /410/,
  ],
  ["rubbish", (answer) => answer.line("<html>"), "ServiceUnavailable", /watch of pods broke off/],
  [
    "a line that never ends",
    (answer) => answer.bytes(new Uint8Array(17 * 2 ** 20).fill(32)),
    "RequestEntityTooLarge",
    /over 16777216 bytes/,
  ],
  [
    "a broken connection",
    (answer) => answer.fail(new TypeError("error reading a body from connection")),
    "ServiceUnavailable",
    /watch of pods broke off: error reading/,
  ],
])("a watch ends with what ends it: %s", async (_, act, code, text) => {
  const rig = new Rig();
  rig.last.event("ADDED", "6", "a");
  assert.equal(await rig.next(), "ADDED 6 a");
  act(rig.last);
  await rig.ends(code, text);
});

Deno.test("a watch that cannot be opened again tells why", async () => {
  const rig = new Rig();
  await rig.clock.advance(seconds(5));
  rig.failures.push(new AppError("Expired", "too old resource version: 5"));
  rig.last.end();
  await rig.ends("Expired", /too old/);
});

Deno.test("what exists comes page by page as it is read, then what changed since", async () => {
  const page = (name: string, next?: () => Promise<InitialPage>): InitialPage => ({
    resourceVersion: "9",
    events: [{
      type: "ADDED",
      resourceVersion: "3",
      object: { metadata: { name } } as unknown as Extract<
        WatchEvent,
        { object: unknown }
      >["object"],
    }],
    ...(next ? { next } : {}),
  });
  let asked = false;
  const rig = new Rig({
    start: page("a", () => {
      asked = true;
      return Promise.resolve(page("b"));
    }),
  });
  await settle();
  assert.deepEqual([asked, rig.answers.length], [false, 0]);
  assert.equal(await rig.next(), "ADDED 3 a");
  assert.equal(await rig.next(), "ADDED 3 b");
  assert.equal(await rig.next(), "BOOKMARK 9 end");
  await settle();
  assert.equal(rig.last.from, "9");
  rig.last.event("DELETED", "10", "a");
  assert.equal(await rig.next(), "DELETED 10 a");
  rig.watch.abort();
  await settle();
});

Deno.test("a page that cannot be had ends the watch", async () => {
  const rig = new Rig({
    start: {
      resourceVersion: "9",
      events: [],
      next: () => Promise.reject(new AppError("Expired", "the continue parameter is too old")),
    },
  });
  await rig.ends("Expired", /continue parameter/);
});

Deno.test("abort() and return() end a watch at once, and what waits is not told", async () => {
  for (const how of ["abort", "return"] as const) {
    const rig = new Rig();
    rig.last.event("ADDED", "6", "a");
    await settle();
    if (how === "abort") rig.watch.abort();
    else await rig.events.return?.();
    assert.equal(await rig.next(), "end");
    await settle();
    assert.ok(rig.last.signal.aborted);
    assert.equal(rig.clock.size, 0);
  }
});

Deno.test("abort() wakes a reader that waits", async () => {
  const rig = new Rig();
  const next = rig.next();
  rig.watch.abort();
  assert.equal(await next, "end");
  await settle();
});
