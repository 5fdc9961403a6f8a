import assert from "node:assert/strict";
import { answerAt, guest, OK_SIZE } from "./guests.ts";
import { deploy, settled, testFunction, testWasm, withRunner } from "./harness.ts";

const OK = guest(answerAt(16, OK_SIZE));

Deno.test("runner answers a request with a function", () =>
  withRunner(async (runner) => {
    const state = await deploy(runner, testWasm(OK));
    assert.equal(state.reason, "Serving");
    assert.deepEqual(state.paths, ["/default/fn"]);
    const response = await fetch(`${runner.base}/default/fn?a=1`);
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "ok");
    const missing = await fetch(`${runner.base}/other`);
    assert.equal(missing.status, 404);
    assert.equal((await missing.json()).error.reason, "NoSuchFunction");
  }));

Deno.test("runner gives the guest method, path, query, headers and body, and the guest's answer back", () =>
  withRunner(async (runner) => {
    // Answers with the request's own envelope as the body.
    const echo = `(module (memory (export "memory") 2)
      (func (export "alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "handle") (param $ptr i32) (param $len i32) (result i64)
        (i32.store (i32.const 1004) (i32.const 1))
        (i32.store (i32.const 1008) (i32.const 201))
        (i32.store (i32.const 1012) (i32.const 0))
        (i32.store (i32.const 1016) (i32.const 0))
        (i32.store (i32.const 1020) (local.get $len))
        (i64.or (i64.shl (i64.const 1004) (i64.const 32))
          (i64.extend_i32_u (i32.add (local.get $len) (i32.const 20))))))`;
    await deploy(runner, testWasm(echo));
    const response = await fetch(`${runner.base}/default/fn/sub%20x?q=%C3%A9&b`, {
      method: "POST",
      headers: { "x-test": "value" },
      body: "hällo",
    });
    assert.equal(response.status, 201);
    const bytes = await response.bytes();
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const words = Array.from({ length: 7 }, (_, i) => view.getUint32(i * 4, true));
    const [version, method = 0, path = 0, query = 0, , headers = 0, body = 0] = words;
    const text = (at: number, size: number): string =>
      new TextDecoder().decode(bytes.subarray(at, at + size));
    assert.equal(version, 1);
    assert.equal(text(28, method), "POST");
    assert.equal(text(28 + method, path), "/default/fn/sub%20x");
    assert.equal(text(28 + method + path, query), "q=%C3%A9&b");
    const headersAt = 28 + method + path + query;
    assert.match(text(headersAt, headers), /x-testvalue/);
    assert.equal(text(headersAt + headers, body), "hällo");
    assert.equal(headersAt + headers + body, bytes.length);
  }));

Deno.test("runner keeps the old revision answering when the new one is no good, and says so", () =>
  withRunner(async (runner) => {
    await deploy(runner, testWasm(OK));
    const bad = testWasm(`(module (memory (export "memory") 1))`);
    const state = await deploy(runner, bad, { revision: "r2", generation: 2 });
    assert.equal(state.reason, "InvalidModule");
    assert.match(state.message, /exports no "alloc".*revision r1 keeps answering/s);
    assert.equal(state.servingRevision, "r1");
    assert.equal(await (await fetch(`${runner.base}/default/fn`)).text(), "ok");
    const next = testWasm(OK.replace('ok"', 'OK"'));
    const good = await deploy(runner, next, { revision: "r3", generation: 3 });
    assert.equal(good.servingRevision, "r3");
    assert.equal(await (await fetch(`${runner.base}/default/fn`)).text(), "OK");
  }));

Deno.test("runner serves at once after a restart, without its agent", () =>
  withRunner(async (runner) => {
    await deploy(runner, testWasm(OK));
    await runner.restart();
    assert.equal(await (await fetch(`${runner.base}/default/fn`)).text(), "ok");
    assert.equal((await settled(runner, "uid-1", "r1")).state, "Ready");
  }));

Deno.test("runner compiles again when its compiled file was changed on disk", () =>
  withRunner(async (runner) => {
    await deploy(runner, testWasm(OK));
    await runner.restart();
    for await (const path of filesBelow(`${runner.folder}/compiled`)) {
      if (!path.endsWith(".cwasm")) continue;
      using file = await Deno.open(path, { write: true });
      await file.seek(4200, Deno.SeekMode.Start);
      await file.write(new Uint8Array(64).fill(0xcc));
    }
    assert.equal(await (await fetch(`${runner.base}/default/fn`)).text(), "ok");
  }));

Deno.test("runner asks for a module that it does not have", () =>
  withRunner(async (runner) => {
    const answer = await runner.client.putFunction(testFunction("0".repeat(64)));
    assert.deepEqual(answer, { result: "module-missing" });
  }));

Deno.test("runner refuses a module whose digest differs", () =>
  withRunner(async (runner) => {
    await assert.rejects(
      runner.client.putModule("0".repeat(64), testWasm(OK)),
      /SHA-256 is [0-9a-f]{64}, not 0{64}/,
    );
  }));

Deno.test("runner removes a function", () =>
  withRunner(async (runner) => {
    await deploy(runner, testWasm(OK));
    await runner.client.deleteFunction("uid-1");
    const response = await fetch(`${runner.base}/default/fn`);
    assert.equal(response.status, 404);
    await response.body?.cancel();
    assert.deepEqual((await runner.client.status()).functions, []);
  }));

Deno.test("runner gives a path to the older of two functions and tells the other", () =>
  withRunner(async (runner) => {
    await deploy(runner, testWasm(OK));
    const state = await deploy(runner, testWasm(OK), { uid: "uid-2", name: "late", createdAt: 2 });
    assert.equal(state.reason, "PathConflict");
    assert.match(state.message, /path \/default\/fn belongs to function default\/fn/);
    await runner.client.deleteFunction("uid-1");
    assert.equal((await settled(runner, "uid-2", "r1")).reason, "Serving");
  }));

Deno.test("runner answers 405 with the methods and 413 before it reads a large body", () =>
  withRunner(async (runner) => {
    await deploy(runner, testWasm(OK), {
      triggers: [{ path: "/p", methods: ["POST"], maxBodyBytes: 10 }],
    });
    const get = await fetch(`${runner.base}/p`);
    assert.equal(get.status, 405);
    assert.equal(get.headers.get("allow"), "POST");
    await get.body?.cancel();
    const large = await fetch(`${runner.base}/p`, { method: "POST", body: "x".repeat(11) });
    assert.equal(large.status, 413);
    assert.equal((await large.json()).error.reason, "BodyTooLarge");
    const chunks = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 4; i++) controller.enqueue(new TextEncoder().encode("12345"));
        controller.close();
      },
    });
    const chunked = await fetch(`${runner.base}/p`, { method: "POST", body: chunks });
    assert.equal(chunked.status, 413);
    await chunked.body?.cancel();
    const fits = await fetch(`${runner.base}/p`, { method: "POST", body: "1234567890" });
    assert.equal(await fits.text(), "ok");
  }));

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* filesBelow(`${folder}/${name}`);
    else yield `${folder}/${name}`;
  }
}

Deno.test("runner says why a guest trapped, in its answer and in the function's state", () =>
  withRunner(async (runner) => {
    await deploy(runner, testWasm(guest("(unreachable)")));
    const response = await fetch(`${runner.base}/default/fn`);
    const { error } = await response.json();
    assert.match(error.message, /^function default\/fn: wasm trap: .*unreachable/);
    const [state] = (await runner.client.status()).functions;
    assert.equal(state?.lastError, `Trap: ${error.message}`);
  }));
