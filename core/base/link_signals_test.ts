import assert from "node:assert/strict";
import { linkSignals } from "./link_signals.ts";

Deno.test("linkSignals() aborts with the first of its signals, and with one that is aborted", () => {
  const [a, b] = [new AbortController(), new AbortController()];
  using linked = linkSignals(a.signal, b.signal);
  assert.equal(linked.signal.aborted, false);
  b.abort(new Error("b"));
  a.abort(new Error("a"));
  assert.equal(linked.signal.reason.message, "b");
  using late = linkSignals(a.signal);
  assert.equal(late.signal.reason.message, "a");
});

Deno.test("linkSignals() leaves nothing behind in a signal that lives on", () => {
  const long = new AbortController();
  const listeners = new Set<unknown>();
  const { addEventListener, removeEventListener } = long.signal;
  Object.assign(long.signal, {
    addEventListener(type: "abort", listener: () => void) {
      listeners.add(listener);
      addEventListener.call(long.signal, type, listener);
    },
    removeEventListener(type: "abort", listener: () => void) {
      listeners.delete(listener);
      removeEventListener.call(long.signal, type, listener);
    },
  });
  const signals = Array.from({ length: 3 }, () => {
    using linked = linkSignals(long.signal);
    assert.equal(listeners.size, 1);
    return linked.signal;
  });
  assert.equal(listeners.size, 0);
  long.abort(new Error("over"));
  assert.ok(signals.every(({ aborted }) => !aborted));
});
