import assert from "node:assert/strict";
import {
  AppError,
  bytes,
  ms,
  seconds,
  silentLogger,
  systemClock,
  VirtualClock,
} from "../../../core/base/mod.ts";
import { removeLogFiles } from "./log_files.ts";
import { readLog } from "./read_log.ts";
import { planRotation } from "./rotate_plan.ts";
import { logRotation, type LogRotationOptions, rotateIfDue } from "./rotate.ts";

const NOW = ms(Date.UTC(2026, 0, 2, 3, 4, 5));
const never = new AbortController().signal;

interface Case {
  readonly about: string;
  readonly names: readonly string[];
  readonly maxFiles?: number;
  readonly remove?: readonly string[];
  readonly compress?: readonly string[];
  readonly rotated?: string;
}

const CASES: readonly Case[] = [
  { about: "the first time", names: ["0.log", "1.log.20260101-000000"] },
  {
    about: "the newest rotated one stays readable until the next time",
    names: ["0.log", "0.log.20260101-000000.gz", "0.log.20260101-000001"],
    compress: ["0.log.20260101-000001"],
  },
  {
    about: "no more files than allowed, the oldest go",
    names: [1, 2, 3, 4].map((n) => `0.log.20260101-00000${n}.gz`),
    remove: ["0.log.20260101-000001.gz"],
  },
  {
    about: "two files in all",
    maxFiles: 2,
    names: ["0.log", "0.log.20260101-000001"],
    remove: ["0.log.20260101-000001"],
  },
  {
    about: "a compression that was cut before and after its rename",
    names: [
      "0.log.20260101-000001",
      "0.log.20260101-000001.tmp",
      "0.log.20260101-000000",
      "0.log.20260101-000000.gz",
    ],
    remove: ["0.log.20260101-000000", "0.log.20260101-000001.tmp"],
    compress: ["0.log.20260101-000001"],
  },
  {
    about: "a clock that was set back",
    names: ["0.log.20260201-235959"],
    compress: ["0.log.20260201-235959"],
    rotated: "0.log.20260202-000000",
  },
];

for (const { about, names, maxFiles = 5, ...wanted } of CASES) {
  Deno.test(`planRotation() keeps and names files as a kubelet: ${about}`, () => {
    assert.deepEqual(planRotation({ log: "0.log", names, maxFiles, now: NOW }), {
      remove: [],
      compress: [],
      rotated: "0.log.20260102-030405",
      ...wanted,
    });
  });
}

/** A container that writes to its log file, and a runtime that can open it anew. */
class Writer implements Disposable {
  readonly folder = Deno.makeTempDirSync();
  readonly path = `${this.folder}/0.log`;
  readonly clock = new VirtualClock(NOW);
  reopened = 0;
  /** Thrown by the next calls of the runtime. */
  trouble: Error | undefined;
  #file = this.#open();
  #lines = 0;

  readonly options: LogRotationOptions = {
    clock: this.clock,
    log: silentLogger,
    running: () => [{ containerId: "c1", path: this.path }],
    reopen: async (id) => {
      assert.equal(id, "c1");
      await Promise.resolve();
      if (this.trouble) throw this.trouble;
      this.#file.close();
      this.#file = this.#open();
      this.reopened++;
    },
    maxSize: bytes(600),
    maxFiles: 3,
  };

  print(count: number): void {
    for (let i = 0; i < count; i++) {
      const line = `2026-01-02T00:00:00.000000000Z stdout F line ${this.#lines++}\n`;
      this.#file.writeSync(new TextEncoder().encode(line));
    }
  }

  async rotate(signal = never): Promise<void> {
    await rotateIfDue(this.options, { containerId: "c1", path: this.path }, signal);
  }

  names(): string[] {
    return [...Deno.readDirSync(this.folder)].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    this.#file.close();
    Deno.removeSync(this.folder, { recursive: true });
  }

  #open(): Deno.FsFile {
    return Deno.openSync(this.path, { append: true, create: true });
  }
}

async function unpacked(path: string): Promise<string> {
  const file = await Deno.open(path);
  return await new Response(file.readable.pipeThrough(new DecompressionStream("gzip"))).text();
}

Deno.test("rotateIfDue() leaves a small log, keeps and compresses what a full one had", async () => {
  using writer = new Writer();
  writer.print(3);
  await writer.rotate();
  assert.deepEqual(writer.names(), ["0.log"]);
  for (let round = 0; round < 4; round++) {
    writer.print(15);
    await writer.rotate();
    await writer.clock.advance(seconds(10));
  }
  assert.equal(writer.reopened, 4);
  assert.deepEqual(writer.names(), ["0.log", "0.log.20260102-030425.gz", "0.log.20260102-030435"]);
  const packed = await unpacked(`${writer.folder}/0.log.20260102-030425.gz`);
  assert.match(packed, /line 33\n/);
  assert.match(packed, /line 47\n$/);
  assert.match(await Deno.readTextFile(`${writer.folder}/0.log.20260102-030435`), /line 62\n$/);
});

Deno.test("rotateIfDue() only reopens a log that was renamed by an agent that was killed then", async () => {
  using writer = new Writer();
  writer.print(20);
  await Deno.rename(writer.path, `${writer.path}.20260102-000000`);
  writer.print(1);
  await writer.rotate();
  assert.deepEqual(writer.names(), ["0.log", "0.log.20260102-000000"]);
  writer.print(1);
  assert.match(await Deno.readTextFile(writer.path), /^\S+ stdout F line 21\n$/);
});

Deno.test("rotateIfDue() puts the log back when the runtime does not open it anew", async () => {
  using writer = new Writer();
  writer.print(20);
  writer.trouble = new AppError("ServiceUnavailable", "containerd is away");
  await assert.rejects(writer.rotate(), /containerd is away/);
  assert.deepEqual(writer.names(), ["0.log"]);
  writer.trouble = undefined;
  await writer.rotate();
  assert.deepEqual(writer.names(), ["0.log", "0.log.20260102-030405"]);
});

Deno.test("rotateIfDue() that is stopped while it compresses loses nothing", async () => {
  using writer = new Writer();
  writer.print(20);
  await writer.rotate();
  await writer.clock.advance(seconds(10));
  writer.print(20);
  await assert.rejects(writer.rotate(AbortSignal.abort(new Error("stopping"))), /stopping/);
  assert.ok(writer.names().includes("0.log.20260102-030405"));
  await writer.rotate();
  assert.deepEqual(writer.names(), ["0.log", "0.log.20260102-030405.gz", "0.log.20260102-030415"]);
});

Deno.test("logRotation() goes on with other logs when one cannot be rotated", async () => {
  using writer = new Writer();
  writer.print(20);
  const stop = new AbortController();
  const lost = { containerId: "gone", path: `${writer.folder}/none/0.log` };
  const service = logRotation({
    ...writer.options,
    running: () => [lost, ...writer.options.running()],
    reopen: async (id, signal) => {
      if (id === "gone") throw new AppError("NotFound", "no such container");
      await writer.options.reopen(id, signal);
      stop.abort();
    },
  });
  await service.run(stop.signal, () => {});
  assert.equal(writer.reopened, 1);
});

Deno.test("readLog() follows over rotations; without following it reads the present file", async () => {
  using writer = new Writer();
  writer.print(15);
  const source = {
    path: writer.path,
    running: () => true,
    subscribe: () => ({ [Symbol.dispose]: () => {} }),
  };
  const rim = { clock: systemClock, signal: never };
  const follow = { follow: true, timestamps: false };
  const reader = readLog(source, follow, rim).pipeThrough(new TextDecoderStream()).getReader();
  let seen = "";
  const until = async (what: string): Promise<void> => {
    while (!seen.includes(what)) seen += (await reader.read()).value ?? "";
  };
  await until("line 14\n");
  for (let round = 0; round < 3; round++) {
    await writer.rotate();
    await writer.clock.advance(seconds(10));
    writer.print(15);
    await until(`line ${29 + round * 15}\n`);
  }
  await reader.cancel();
  assert.deepEqual(seen.trimEnd().split("\n"), Array.from({ length: 60 }, (_, i) => `line ${i}`));
  const tail = { follow: false, timestamps: false, tailLines: 40 };
  const text = await new Response(readLog(source, tail, rim)).text();
  assert.equal(text.split("\n")[0], "line 45");
});

Deno.test("removeLogFiles() takes what was rotated along, and nothing of another run", async () => {
  using writer = new Writer();
  writer.print(20);
  await writer.rotate();
  await Deno.writeTextFile(`${writer.folder}/10.log`, "");
  await removeLogFiles(writer.path);
  await removeLogFiles(`${writer.folder}/none/1.log`);
  assert.deepEqual(writer.names(), ["10.log"]);
});
