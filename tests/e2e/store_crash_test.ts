import assert from "node:assert/strict";
import { ms, type Random, seededRandom, systemClock, systemRandom } from "../../core/base/mod.ts";
import { RESOURCES } from "../../core/api/mod.ts";
import { openSqliteStore, type SqliteStore } from "../../core/store/mod.ts";

const ROUNDS = 36;
/** Answered writes before a kill, at most. */
const MOST_WRITES = 400;

interface Step {
  readonly n: number;
  readonly name: string;
  readonly size: number;
  readonly remove: boolean;
}

/** What was answered, and what was asked but not answered when the process died. */
interface Heard {
  readonly answered: { readonly step: Step; readonly version: number }[];
  readonly pending: Step | undefined;
}

/** What the store must hold: name to number and size. */
type State = ReadonlyMap<string, string>;

function after(state: State, step: Step): State {
  const next = new Map(state);
  if (step.remove) next.delete(step.name);
  else next.set(step.name, `${step.n}/${step.size}`);
  return next;
}

/** Runs the writer and kills it with SIGKILL once it has answered `writes` times. */
async function writeAndKill(
  path: string,
  seed: number,
  first: number,
  writes: number,
): Promise<Heard> {
  const folder = path.slice(0, path.lastIndexOf("/"));
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-lock",
      "--quiet",
      `--allow-read=${folder}`,
      `--allow-write=${folder}`,
      new URL("./store_crash_child.ts", import.meta.url).href,
      path,
      String(seed),
      String(first),
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const answered: { step: Step; version: number }[] = [];
  let pending: Step | undefined;
  let killed = false;
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("+ ")) pending = JSON.parse(line.slice(2));
      else if (line.startsWith("= ") && pending) {
        answered.push({ step: pending, version: Number(line.slice(2)) });
        pending = undefined;
      }
    }
    if (!killed && answered.length >= writes) {
      killed = true;
      child.kill("SIGKILL");
    }
  }
  const { signal } = await child.status;
  assert.equal(signal, "SIGKILL", "the writer ended by itself");
  return { answered, pending };
}

function open(path: string): SqliteStore {
  return openSqliteStore({ path, clock: systemClock, keepEvents: 50, keepFor: ms(0) });
}

async function stateOf(store: SqliteStore): Promise<State> {
  const { items } = await store.list(RESOURCES.configmaps);
  return new Map(
    items.map(({ metadata, data }) => [metadata.name, `${data.n}/${data.text.length}`]),
  );
}

function lastNumber(store: SqliteStore): number {
  return Number(store.transact((tx) => tx.row("last", "n"))?.value ?? -1);
}

/**
 * Opens a copy whose log ends in rubbish, as a power cut in the middle of a write may leave it: the
 * unfinished end must be ignored.
 */
async function openTorn(
  path: string,
  states: ReadonlyMap<number, State>,
  random: Random,
): Promise<void> {
  const torn = `${path}.torn`;
  await Deno.copyFile(path, torn);
  await Deno.copyFile(`${path}-wal`, `${torn}-wal`);
  const rubbish = Uint8Array.from({ length: Math.floor(random() * 10_000) }, () => random() * 256);
  await Deno.writeFile(`${torn}-wal`, rubbish, { append: true });
  {
    using store = open(torn);
    store.checkIntegrity();
    assert.deepEqual(await stateOf(store), states.get(lastNumber(store)));
  }
  await Deno.remove(torn);
}

Deno.test("SqliteStore loses nothing that it answered when its process is killed at any moment", async () => {
  const seed = Math.floor(systemRandom() * 2 ** 31);
  const random = seededRandom(seed);
  const folder = await Deno.makeTempDir();
  const path = `${folder}/store.db`;
  let state: State = new Map();
  let newest = 0;
  let first = 0;
  let epoch: string | undefined;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const writes = Math.floor(random() ** 2 * MOST_WRITES);
      const heard = await writeAndKill(path, seed + round, first, writes);
      for (const { step, version } of heard.answered) {
        assert.ok(version >= newest, `version ${version} after ${newest}`);
        newest = version;
        state = after(state, step);
        first = step.n + 1;
      }
      // The write in flight may have happened or not; everything else is certain.
      const states = new Map([[first - 1, state]]);
      if (heard.pending) states.set(heard.pending.n, after(state, heard.pending));
      if (heard.answered.length > 0) await openTorn(path, states, random);

      using store = open(path);
      store.checkIntegrity();
      epoch ??= await store.epoch();
      assert.equal(await store.epoch(), epoch);
      const last = lastNumber(store);
      assert.ok(
        last === first - 1 || last === heard.pending?.n,
        `number ${last} after ${first - 1}`,
      );
      state = states.get(last) ?? new Map();
      assert.deepEqual(await stateOf(store), state);
      assert.ok(store.versions.newest >= newest && store.versions.newest <= newest + 1);
      newest = store.versions.newest;
      first = last + 1;
    }
    assert.ok(newest > ROUNDS, "the rounds wrote something");
  } catch (error) {
    throw new Error(`failed with seed ${seed}`, { cause: error });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
