import assert from "node:assert/strict";
import { mib, ms, silentLogger, systemClock } from "../../core/base/mod.ts";
import { chooseEngine } from "../start_engine.ts";
import { testLibrary } from "../harness.ts";
import { probeInChild } from "../cache/mod.ts";
import { layoutOf } from "./layout.ts";
import { loadLibrary } from "./library.ts";
import { DEFAULT_SETTINGS } from "./settings.ts";
import { readEngineStamp, scanLibraryVersion } from "./version.ts";

const NEVER = new AbortController().signal;

Deno.test("probeInChild() tells version and engine hash, the same each time", async () => {
  const options = { clock: systemClock, timeout: ms(30_000) };
  const first = await probeInChild(testLibrary(), DEFAULT_SETTINGS, options);
  const second = await probeInChild(testLibrary(), DEFAULT_SETTINGS, options);
  assert.deepEqual(first, second);
  assert.ok([48, 49, 50].includes(first.major));
  assert.match(first.version, new RegExp(`^${first.major}\\.\\d+\\.\\d+$`));
  assert.match(first.engineHash, /^[0-9a-f]{64}$/);
});

Deno.test("chooseEngine() falls back from settings that abort the process to ones that work", async () => {
  const options = { clock: systemClock, log: silentLogger, signal: NEVER };
  // More address space than there is for a pool of many slots, then for a single memory.
  const many = { ...DEFAULT_SETTINGS, slots: 4096, maxMemory: mib(65_536) };
  const { settings } = await chooseEngine(testLibrary(), many, options);
  assert.ok(settings.allocation === "on-demand" || settings.slots === 16);
  const huge = { ...DEFAULT_SETTINGS, maxMemory: mib(2 ** 30) };
  const last = (await chooseEngine(testLibrary(), huge, options)).settings;
  assert.deepEqual([last.allocation, last.maxMemory], ["on-demand", mib(16)]);
});

Deno.test("loadLibrary() says what to do when there is no library, or a file that is none", async () => {
  assert.throws(() => loadLibrary("/nonexistent/lib.so"), /no libwasmtime at .*fetch\.ts/);
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "no library");
    assert.throws(() => loadLibrary(file), /cannot be loaded as libwasmtime/);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("layoutOf() refuses a major that it does not know and says which it knows", () => {
  assert.equal(layoutOf(48).componentFunc, 24);
  assert.equal(layoutOf(50).componentFunc, 32);
  assert.throws(() => layoutOf(51), /major version 51, known are 48, 49, 50: name another/);
});

Deno.test("readEngineStamp() refuses what is no compiled module", () => {
  assert.throws(() => readEngineStamp(new Uint8Array(10)), /cannot tell the version/);
  assert.throws(() => readEngineStamp(new Uint8Array(200)), /cannot tell the version/);
});

Deno.test("scanLibraryVersion() takes the most frequent version of the major", () => {
  const bytes = new TextEncoder().encode("a50.0.1b50.0.0c50.0.0d49.0.0 49.0.0 49.0.0");
  assert.equal(scanLibraryVersion(bytes, 50), "50.0.0");
  assert.equal(scanLibraryVersion(bytes, 47), "47");
});
