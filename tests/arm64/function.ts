/** One function on the arm64 engine: compiled, loaded and called in this process. */
import assert from "node:assert/strict";
import { mib, ms, systemClock } from "../../core/base/mod.ts";
import { decodeResponse, RequestEncoder } from "../../runner/abi/mod.ts";
import {
  DEFAULT_SETTINGS,
  Engine,
  Invoker,
  layoutOf,
  loadLibc,
  loadLibrary,
  Ticker,
} from "../../runner/engine/mod.ts";
import { answerAt, guest, OK_SIZE } from "../../runner/guests.ts";
import { testLibrary, testWasm } from "../../runner/harness.ts";

/** The newest major that the layouts know, which is the one that set-up fetches. */
const MAJOR = 50;

// The engine lives as long as its process, which ends with this test.
const options = { sanitizeOps: false, sanitizeResources: false };

Deno.test("a function answers on arm64", options, async () => {
  assert.equal(Deno.build.arch, "aarch64");
  const library = testLibrary();
  // Emulated machines have no address space for a pool.
  const settings = { ...DEFAULT_SETTINGS, allocation: "on-demand" as const };
  const engine = new Engine(loadLibrary(library), settings);
  const file = await Deno.makeTempFile();
  await Deno.writeFile(file, engine.compile(testWasm(guest(answerAt(16, OK_SIZE)))));
  const module = engine.load(file);
  const ticker = new Ticker({ engine, library, tick: ms(50) });
  await ticker.start();
  const invoker = new Invoker({
    ...{ engine, layout: layoutOf(MAJOR), libc: loadLibc(), ticker, clock: systemClock },
  });
  const prepared = invoker.prepare(module, "skerry-core-v1");
  const request = { method: "GET", path: "/", query: "", headers: [], body: new Uint8Array() };
  const result = invoker.invoke({
    prepared,
    input: new RequestEncoder().encode(request),
    env: {},
    args: [],
    memoryBytes: mib(16),
    outputBytes: mib(1),
    timeout: ms(30_000),
  });
  assert.ok(result.ok, JSON.stringify(result));
  const answer = decodeResponse(result.output);
  assert.ok(typeof answer === "object");
  assert.deepEqual([answer.status, new TextDecoder().decode(answer.body)], [200, "ok"]);
  prepared[Symbol.dispose]();
  module[Symbol.dispose]();
  await ticker[Symbol.asyncDispose]();
  await Deno.remove(file);
});
