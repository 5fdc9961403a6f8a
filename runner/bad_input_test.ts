import assert from "node:assert/strict";
import { mib, systemClock } from "../core/base/mod.ts";
import { answerAt, envelope, guest, OK_SIZE, word } from "./guests.ts";
import { deploy, type TestRunner, testWasm, withRunner } from "./harness.ts";

const OK = guest(answerAt(16, OK_SIZE));
const LOOP = guest(`(loop $again (br $again)) (unreachable)`);

async function ask(runner: TestRunner, path = "/default/fn"): Promise<[number, string]> {
  const response = await fetch(`${runner.base}${path}`);
  const text = await response.text();
  return [response.status, response.ok ? text : JSON.parse(text).error.reason];
}

/** The runner still answers with a good function after what came before. */
async function assertAlive(runner: TestRunner): Promise<void> {
  const triggers = [{ path: "/alive", methods: [], maxBodyBytes: 0 }];
  await deploy(runner, testWasm(OK), { uid: "alive", name: "alive", triggers });
  assert.deepEqual(await ask(runner, "/alive"), [200, "ok"]);
}

const TEXT = new TextEncoder();
const COMPONENT = new Uint8Array([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);

/** Modules that are refused when they are deployed, with what the message says. */
const REFUSED: readonly [string, () => Uint8Array<ArrayBuffer>, RegExp][] = [
  ["is not WASM", () => TEXT.encode("#!/bin/sh\n"), /is no WebAssembly: .*put the built \.wasm/],
  ["is empty", () => new Uint8Array(), /is no WebAssembly/],
  ["is cut short", () => testWasm(OK).slice(0, 60), /unexpected end|magic|offset/i],
  ["is a component", () => COMPONENT, /is a component, which is not served yet/],
  [
    "imports what is not offered",
    () => testWasm(OK.replace("(memory", `(import "env" "system" (func)) (memory`)),
    /imports func "env\.system", which skerry-core-v1 does not offer \(it offers skerry\.log/,
  ],
  [
    "imports a host function with other types",
    () => testWasm(OK.replace("(memory", `(import "skerry" "now" (func)) (memory`)),
    /imports skerry\.now\(\)->; it is skerry\.now\(\)->i64/,
  ],
  [
    "exports no handle",
    () => testWasm(OK.replace(`(export "handle")`, "")),
    /exports no "handle"; skerry-core-v1 needs a function handle\(i32,i32\)->i64/,
  ],
  [
    "exports a function of other types",
    () => testWasm(OK.replace('(func (export "alloc") (param i32)', `(func (export "alloc")`)),
    /exports alloc\(\)->i32; skerry-core-v1 needs a function alloc\(i32\)->i32/,
  ],
  [
    "exports no memory",
    () => testWasm(OK.replace(`(memory (export "memory") 1)`, "(memory 1)")),
    /exports no "memory"/,
  ],
  [
    "traps at its start",
    () => testWasm(OK.replace("(memory", `(func $s unreachable) (start $s) (memory`)),
    /does not start: .*unreachable/s,
  ],
  [
    "loops for ever at its start",
    () => testWasm(OK.replace("(memory", `(func $s (loop $l (br $l))) (start $s) (memory`)),
    /does not start: stopped at its time limit/,
  ],
  [
    "needs more memory from the start than it may have",
    () => testWasm(OK.replace(`"memory") 1`, `"memory") 100`)),
    /needs 6553600 bytes of memory from the start, spec\.limits\.memory is 1048576: raise it/,
  ],
  [
    "needs more memory than the runner gives to any",
    () => testWasm(OK.replace(`"memory") 1`, `"memory") 1000`)),
    /memory/,
  ],
];

for (const [what, module, message] of REFUSED) {
  Deno.test(`runner refuses a module that ${what}, says why, and goes on`, () =>
    withRunner(async (runner) => {
      const state = await deploy(runner, module());
      assert.equal(state.reason, "InvalidModule");
      assert.match(state.message, message);
      assert.equal(state.servingRevision, undefined);
      assert.deepEqual(await ask(runner), [404, "NoSuchFunction"]);
      await assertAlive(runner);
    }));
}

const FAR = `(i64.const ${(0xffff_0000n << 32n) | 100n})`;
const HUGE = `(i64.const ${(16n << 32n) | 0xffff_ffffn})`;

function answering(segment: string, size: number): string {
  return OK.replace(envelope("ok"), segment).replace(answerAt(16, OK_SIZE), answerAt(16, size));
}

/** Guests that give no answer, with the answer that the gateway gives. */
const FAILING: readonly [string, string, number, string][] = [
  ["traps", guest("(unreachable)"), 502, "Trap"],
  ["divides by zero", guest("(i64.div_u (i64.const 1) (i64.const 0))"), 502, "Trap"],
  ["reads outside of its memory", guest("(i64.load (i32.const -8))"), 502, "Trap"],
  [
    "calls itself without end",
    guest("(call $f)", "(func $f (result i64) (i64.add (call $f) (i64.const 1)))"),
    502,
    "Trap",
  ],
  ["loops for ever", LOOP, 504, "Timeout"],
  [
    "allocates without end",
    guest("(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)"),
    502,
    "Trap",
  ],
  ["returns a pointer outside of its memory", guest(FAR), 502, "BadResponse"],
  ["returns a size of 4 GiB", guest(HUGE), 502, "OutputTooLarge"],
  ["returns nothing", guest("(i64.const 0)"), 502, "BadResponse"],
  ["returns rubbish", answering("\\ff".repeat(40), 40), 502, "BadResponse"],
  ["returns another version", answering(envelope("ok", { version: 2 }), 22), 502, "BadResponse"],
  ["returns status 99", answering(envelope("ok", { status: 99 }), 22), 502, "BadResponse"],
  ["returns sizes that do not add up", answering(envelope("ok"), 21), 502, "BadResponse"],
  [
    "returns a header with a line break",
    answering([1, 200, 1, 8 + 4, 0, 1, 3].map(word).join("") + "xa\\0d\\0a", 20 + 8 + 4),
    502,
    "BadResponse",
  ],
  [
    "returns headers that lie outside of the block",
    answering([1, 200, 1, 8, 0, 5, 5].map(word).join(""), 28),
    502,
    "BadResponse",
  ],
  [
    "has no room for the request",
    OK.replace("(i32.const 4096)", "(i32.const 65530)"),
    502,
    "BadResponse",
  ],
  ["refuses to make room", OK.replace("(i32.const 4096)", "(i32.const 0)"), 502, "BadResponse"],
  ["answers more than its limit", guest(answerAt(16, 65537)), 502, "OutputTooLarge"],
  [
    "logs from outside of its memory",
    guest(
      `(call $log (i32.const 1) (i32.const -16) (i32.const 100)) (i64.const 0)`,
      `(import "skerry" "log" (func $log (param i32 i32 i32)))`,
    ),
    502,
    "Trap",
  ],
];

for (const [what, wat, status, reason] of FAILING) {
  Deno.test(`runner answers ${reason} when a guest ${what}, and goes on`, () =>
    withRunner(async (runner) => {
      assert.equal((await deploy(runner, testWasm(wat))).reason, "Serving");
      assert.deepEqual(await ask(runner), [status, reason]);
      assert.deepEqual(await ask(runner), [status, reason]);
      const [state] = (await runner.client.status()).functions;
      assert.equal(state?.counters.requests, 2);
      assert.equal(state?.counters.errors, 2);
      await assertAlive(runner);
    }));
}

Deno.test("runner stops a guest that loops within its time limit and two ticks, and serves others meanwhile", () =>
  withRunner(async (runner) => {
    await deploy(runner, testWasm(LOOP));
    await assertAlive(runner);
    await ask(runner);
    // The limit is 200 ms, a tick 5 ms; the best of many, as the machine is shared with other tests.
    const times: number[] = [];
    while (times.length < 40 && !times.some((one) => one <= 225)) {
      const started = systemClock.monotonic();
      assert.deepEqual(await ask(runner), [504, "Timeout"]);
      times.push(systemClock.monotonic() - started);
    }
    const best = Math.min(...times);
    assert.ok(best >= 200 && best <= 225, `stopped after ${times.join(", ")} ms`);
    const first: string[] = [];
    while (first.length < 20 && !first.includes("ok")) {
      const slow = ask(runner);
      const other = ask(runner, "/alive");
      first.push((await Promise.race([slow, other]))[1]);
      assert.deepEqual([await slow, await other], [[504, "Timeout"], [200, "ok"]]);
    }
    assert.ok(first.includes("ok"), "the other function waited");
  }));

Deno.test("runner lets a guest have no more memory than its limit", () =>
  withRunner(async (runner) => {
    // Grows by pages until it may not, and answers with the count of pages as its status.
    const wat = guest(
      `(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
       (i32.store (i32.const 20) (i32.add (i32.const 200) (memory.size)))
       ${answerAt(16, OK_SIZE)}`,
    );
    const limits = { timeoutMs: 1000, outputBytes: 1000, concurrency: 1, queue: 0 };
    await deploy(runner, testWasm(wat), { limits: { ...limits, memoryBytes: mib(2) } });
    const response = await fetch(`${runner.base}/default/fn`);
    await response.body?.cancel();
    assert.equal(response.status, 200 + 32);
  }));

Deno.test("runner holds a flood within concurrency and queue, and answers 429 beyond", () =>
  withRunner(async (runner) => {
    const limits = {
      ...{ memoryBytes: mib(1), timeoutMs: 1000, outputBytes: 1000 },
      ...{ concurrency: 2, queue: 2 },
    };
    await deploy(runner, testWasm(LOOP), { limits });
    await ask(runner);
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(runner)));
    const counts = new Map<string, number>();
    for (const [, reason] of answers) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    assert.ok((counts.get("Timeout") ?? 0) >= 2, JSON.stringify([...counts]));
    assert.ok((counts.get("TooManyRequests") ?? 0) >= 30, JSON.stringify([...counts]));
    await assertAlive(runner);
  }));

Deno.test("a WASI command may not write without end, and its exit code counts", () =>
  withRunner(async (runner) => {
    const wasi = (body: string): Uint8Array<ArrayBuffer> =>
      testWasm(`(module
        (import "wasi_snapshot_preview1" "fd_write"
          (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (import "wasi_snapshot_preview1" "path_open"
          (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (memory (export "memory") 2)
        (data (i32.const 0) "${word(1024)}${word(60000)}")
        (func (export "_start") ${body}))`);
    const write = `(call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))`;
    await deploy(runner, wasi(`(loop $l (drop ${write}) (br $l))`));
    assert.match((await ask(runner))[1], /OutputTooLarge|Timeout/);
    await deploy(runner, wasi(`(loop $l (br_if $l (i32.eqz ${write})))`), { revision: "r2" });
    assert.deepEqual(await ask(runner), [502, "OutputTooLarge"]);
    await deploy(runner, wasi(`(call $exit (i32.const 3))`), { revision: "r3" });
    assert.deepEqual(await ask(runner), [502, "Trap"]);
    await deploy(runner, wasi(`(call $exit (i32.const 0))`), { revision: "r4" });
    assert.deepEqual(await ask(runner), [200, ""]);
    // No folder is open: opening a file answers EBADF or ENOSYS, which becomes the exit code here.
    const open = `(call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1)
      (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 8))`;
    await deploy(runner, wasi(`(if ${open} (then (call $exit (i32.const 9))))`), {
      revision: "r5",
    });
    assert.deepEqual(await ask(runner), [502, "Trap"]);
  }));
