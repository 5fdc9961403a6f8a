import assert from "node:assert/strict";
import { AppError, seconds, silentLogger, VirtualClock } from "../../core/base/mod.ts";
import { FakeMachine } from "../runtimes/fake/mod.ts";
import { Hooks } from "./hooks.ts";
import { runHook } from "./run_hook.ts";
import { testPod } from "./testing/mod.ts";

function bench() {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const changes: string[] = [];
  const hooks = new Hooks({
    clock,
    log: silentLogger,
    signal: stop.signal,
    changed: (uid) => void changes.push(uid),
  });
  const begin = (run: (signal: AbortSignal) => Promise<void>, hook: "postStart" | "preStop") =>
    hooks.begin("u", { hook, container: "main", containerId: "c", limit: seconds(5), run });
  return { clock, stop, hooks, begin, changes };
}

/** Waits until its signal aborts. */
function forever(signal: AbortSignal): Promise<void> {
  return new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true })
  );
}

Deno.test("Hooks says how a hook went, until its container has gone", async () => {
  const { hooks, begin, changes } = bench();
  begin(() => Promise.resolve(), "postStart");
  assert.deepEqual(hooks.of("u"), { c: { hook: "postStart", state: "running" } });
  await hooks.settled();
  assert.deepEqual(hooks.of("u"), { c: { hook: "postStart", state: "done" } });
  begin(() => Promise.reject(new Error("it said no")), "preStop");
  await hooks.settled();
  assert.deepEqual(hooks.of("u"), {
    c: { hook: "preStop", state: "failed", message: "it said no" },
  });
  begin(() => Promise.resolve(), "preStop");
  assert.equal(hooks.of("u")["c"]?.state, "failed", "it does not run twice");
  hooks.keep("u", new Set());
  assert.deepEqual(hooks.of("u"), {});
  assert.deepEqual(changes, ["u", "u"]);
});

Deno.test("Hooks cuts a hook that takes too long, that another follows, or whose container ends", async () => {
  const { clock, hooks, begin } = bench();
  begin(forever, "postStart");
  begin(forever, "preStop");
  await clock.advance(seconds(5));
  await hooks.settled();
  // As with a kubelet, it has had its time, which is no failure.
  assert.equal(hooks.of("u")["c"]?.state, "done");
  hooks.keep("u", new Set());
  begin(forever, "preStop");
  hooks.keep("u", new Set());
  await hooks.settled();
  assert.deepEqual(hooks.of("u"), {});
});

Deno.test("Hooks forgets a hook that the runtime's absence has cut, so that it runs again", async () => {
  const { hooks, begin, changes } = bench();
  begin(() => Promise.reject(new AppError("ServiceUnavailable", "away")), "postStart");
  await hooks.settled();
  assert.deepEqual(hooks.of("u"), {});
  assert.deepEqual(changes, ["u"]);
});

Deno.test("runHook() says why a container, an address, a port or a handler is no good", async () => {
  const clock = new VirtualClock();
  const host = new FakeMachine({ clock });
  await using runtime = host.connect();
  const { signal } = new AbortController();
  const [container] = testPod("p").spec.containers;
  assert.ok(container);
  const target = { runtime, clock, container, containerId: "c", address: "", limit: seconds(5) };
  await assert.rejects(runHook({ exec: { command: ["x"] } }, target, signal), /no container c/);
  await assert.rejects(runHook({ httpGet: { port: 80 } }, target, signal), /no address/);
  await assert.rejects(runHook({ httpGet: { port: "web" } }, target, signal), /no port "web"/);
  await assert.rejects(runHook({}, target, signal), /none of exec, httpGet and sleep/);
});

Deno.test("runHook() takes any HTTP answer for a success", async () => {
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => new Response("gone", { status: 410 }),
  );
  const clock = new VirtualClock();
  await using runtime = new FakeMachine({ clock }).connect();
  const [container] = testPod("p").spec.containers;
  assert.ok(container);
  const target = {
    runtime,
    clock,
    container,
    containerId: "c",
    address: "127.0.0.1",
    limit: seconds(5),
  };
  const { port } = server.addr;
  const { signal } = new AbortController();
  await runHook({ httpGet: { port, path: "/bye?now=1" } }, target, signal);
});
