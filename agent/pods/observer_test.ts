import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { Observation, ObservedSandbox, Runtime } from "../runtimes/mod.ts";
import { Observer } from "./observer.ts";

function sandboxOf(podUid: string): ObservedSandbox {
  return {
    ...{ id: `s-${podUid}`, podUid, podName: podUid, podNamespace: "default", attempt: 0 },
    ...{ ready: true, createdAt: 0 as ObservedSandbox["createdAt"], ips: [] },
    ...{ labels: {}, annotations: {} },
  };
}

Deno.test("Observer sees what runs of a pod that came late, but for its first look", async () => {
  const all: Observation = { sandboxes: [sandboxOf("old"), sandboxOf("new")], containers: [] };
  let shown: Observation = { ...all, sandboxes: all.sandboxes.slice(0, 1) };
  const runtime = { observe: () => Promise.resolve(shown) } as unknown as Runtime;
  const observer = new Observer(runtime, new AbortController().signal);
  const ids = async (uid: string): Promise<string[]> =>
    (await observer.look(uid)).sandboxes.map(({ id }) => id);

  // Nobody knows yet what was there before.
  observer.came("old");
  deepStrictEqual(await ids("old"), ["s-old"]);
  strictEqual((await observer.all()).sandboxes.length, 1);
  shown = all;
  observer.came("old");
  deepStrictEqual(await ids("old"), ["s-old"]);
  observer.came("new");
  deepStrictEqual(await ids("new"), [], "it was not there, and nobody else starts it");
  deepStrictEqual(await ids("new"), ["s-new"]);
});
