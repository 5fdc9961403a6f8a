import assert from "node:assert/strict";
import { ms, systemClock } from "../../../core/base/mod.ts";
import { type LogSource, readLog } from "./read_log.ts";

const BASE = { follow: false, timestamps: false };

interface Bed extends Disposable {
  readonly path: string;
  readonly source: LogSource;
  write(...lines: string[]): void;
  end(): void;
  readonly listeners: Set<() => void>;
}

function bed(...lines: string[]): Bed {
  const dir = Deno.makeTempDirSync();
  const path = `${dir}/0.log`;
  const listeners = new Set<() => void>();
  let running = true;
  Deno.writeTextFileSync(path, "");
  const made: Bed = {
    path,
    listeners,
    source: {
      path,
      running: () => running,
      subscribe(wake) {
        listeners.add(wake);
        return { [Symbol.dispose]: () => void listeners.delete(wake) };
      },
    },
    write: (...more) =>
      Deno.writeTextFileSync(path, more.map((line) => `${line}\n`).join(""), { append: true }),
    end() {
      running = false;
      for (const wake of listeners) wake();
    },
    [Symbol.dispose]: () => Deno.removeSync(dir, { recursive: true }),
  };
  made.write(...lines);
  return made;
}

function at(second: number, text: string, tag = "F"): string {
  return `2026-01-01T00:00:0${second}.000000000Z stdout ${tag} ${text}`;
}

function read(
  from: Bed,
  options: Partial<Parameters<typeof readLog>[1]> = {},
  signal = new AbortController().signal,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return readLog(from.source, { ...BASE, ...options }, { clock: systemClock, signal });
}

async function text(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return await new Response(stream).text();
}

Deno.test("readLog() shows what the container printed and joins partial lines", async () => {
  using log = bed(at(1, "one"), at(2, "tw", "P"), at(3, "o"), "damaged", at(4, ""), at(5, "x y"));
  assert.equal(await text(read(log)), "one\ntwo\n\nx y\n");
});

Deno.test("readLog() honours tailLines, sinceTime, limitBytes and timestamps", async () => {
  using log = bed(at(1, "one"), at(2, "two"), at(3, "three"));
  assert.equal(await text(read(log, { tailLines: 2 })), "two\nthree\n");
  assert.equal(await text(read(log, { tailLines: 0 })), "");
  assert.equal(await text(read(log, { tailLines: 9 })), "one\ntwo\nthree\n");
  assert.equal(await text(read(log, { limitBytes: 5 })), "one\nt");
  assert.equal(
    await text(read(log, { sinceTime: ms(Date.UTC(2026, 0, 1, 0, 0, 2)) })),
    "two\nthree\n",
  );
  assert.equal(
    await text(read(log, { tailLines: 1, timestamps: true })),
    "2026-01-01T00:00:03.000000000Z three\n",
  );
});

Deno.test("readLog() finds the last lines of a file of many blocks", async () => {
  using log = bed(...Array.from({ length: 5000 }, (_, i) => at(1, `line ${i} ${"x".repeat(50)}`)));
  const lines = (await text(read(log, { tailLines: 3000 }))).trimEnd().split("\n");
  assert.equal(lines.length, 3000);
  assert.match(lines[0] ?? "", /^line 2000 /);
});

Deno.test("readLog() follows across a rotation until the run ends", async () => {
  using log = bed(at(1, "one"));
  const stream = read(log, { follow: true });
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let seen = "";
  const until = async (what: string): Promise<void> => {
    while (!seen.includes(what)) {
      const { value, done } = await reader.read();
      assert.ok(!done, `ended before ${what}: ${seen}`);
      seen += value;
    }
  };
  await until("one\n");
  log.write(at(2, "two"));
  await until("two\n");
  log.write(at(3, "three"));
  await Deno.rename(log.path, `${log.path}.old`);
  log.write(at(4, "four"));
  await until("four\n");
  log.write(at(5, "last"));
  log.end();
  await until("last\n");
  assert.equal((await reader.read()).done, true);
  assert.equal(seen, "one\ntwo\nthree\nfour\nlast\n");
  assert.equal(log.listeners.size, 0);
});

Deno.test("readLog() frees file and watch at once when the reader goes", async () => {
  using log = bed(at(1, "one"));
  const reader = read(log, { follow: true }).getReader();
  await reader.read();
  const waiting = reader.read();
  await reader.cancel();
  await waiting;
  assert.equal(log.listeners.size, 0);
  const stop = new AbortController();
  const other = read(log, { follow: true }, stop.signal).getReader();
  await other.read();
  const end = other.read();
  stop.abort();
  assert.equal((await end).done, true);
  assert.equal(log.listeners.size, 0);
});
