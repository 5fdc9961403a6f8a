import assert from "node:assert/strict";
import { seconds } from "../../../core/base/mod.ts";
import { probeEvent, Voice } from "./voice.ts";

Deno.test("Voice says the same again after a minute", () => {
  const voice = new Voice();
  const said = [0, 10, 59, 60, 100, 120].filter((at) => voice.says("a", seconds(at)));
  assert.deepEqual(said, [0, 60, 120]);
});

Deno.test("Voice says something else at once, but not without end", () => {
  const voice = new Voice();
  const said = Array.from({ length: 200 }, (_, at) => at)
    .filter((at) => voice.says(`message ${at}`, seconds(at)));
  assert.deepEqual(said, [...Array.from({ length: 10 }, (_, at) => at), 60, 120, 180]);
});

Deno.test("probeEvent() uses the kubelet's words and keeps to an Event's length", () => {
  const fieldPath = "spec.containers{main}";
  const words = (["success", "warning", "failure", "error", "away"] as const).map((result) => {
    const event = probeEvent("startup", { result, output: "x" }, fieldPath);
    return event && `${event.reason}: ${event.message}`;
  });
  assert.deepEqual(words, [
    undefined,
    "ProbeWarning: Startup probe warning: x",
    "Unhealthy: Startup probe failed: x",
    "Unhealthy: Startup probe errored and resulted in unknown state: x",
    undefined,
  ]);
  const long = probeEvent("liveness", { result: "failure", output: "x".repeat(5000) }, fieldPath);
  assert.equal(long?.message.length, 1024);
});
