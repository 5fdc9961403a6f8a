import { seededRandom, VirtualClock } from "../../core/base/mod.ts";
import { RESOURCES } from "../../core/api/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { storeConformance, type StoreFixture } from "./store.ts";
import { sample } from "./store_helpers.ts";

async function fixture(path: string, cleanUp: () => Promise<void>): Promise<StoreFixture> {
  const clock = new VirtualClock();
  const store = openSqliteStore({ path, clock, random: seededRandom(7), checkNamespaces: true });
  for (const name of ["a", "b"]) {
    await store.create(RESOURCES.namespaces, sample(RESOURCES.namespaces, name));
  }
  return {
    store,
    clock,
    async [Symbol.asyncDispose]() {
      store[Symbol.dispose]();
      await cleanUp();
    },
  };
}

storeConformance("SqliteStore in memory", () => fixture(":memory:", () => Promise.resolve()));

storeConformance("SqliteStore in a file", async () => {
  const folder = await Deno.makeTempDir();
  return await fixture(`${folder}/store.db`, () => Deno.remove(folder, { recursive: true }));
});
