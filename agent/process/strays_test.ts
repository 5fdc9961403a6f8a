import { deepStrictEqual, match, rejects, strictEqual } from "node:assert/strict";
import { AGENT_OPTIONS, parseOptions } from "../../core/parts/mod.ts";
import type { Link } from "../link/mod.ts";
import type { PodManager, Stray } from "../pods/mod.ts";
import { boundPods, strayText } from "./strays.ts";

const never = new AbortController().signal;

Deno.test("boundPods() takes a list of uids, and nothing else, for an answer", async () => {
  const asked = (answer: unknown): Promise<readonly string[]> =>
    boundPods({ call: () => Promise.resolve(answer) } as unknown as Link, never);
  deepStrictEqual(await asked({ uids: ["a"] }), ["a"]);
  deepStrictEqual(await asked({ uids: [] }), []);
  for (const bad of [null, {}, [], "x", { uids: null }, { uids: "a" }, { uids: ["a", 1] }]) {
    await rejects(asked(bad), { code: "BadRequest" }, JSON.stringify(bad));
  }
  await rejects(boundPods(undefined, never), { code: "ServiceUnavailable" });
});

function text(strays: Partial<Stray>[], hub = "hub.example:10000"): string | undefined {
  const full = strays.map((one, at) => ({
    ...{ namespace: "default", name: `p${at}`, uid: `u${at}`, fromManifest: false },
    ...one,
  }));
  const options = parseOptions(AGENT_OPTIONS, [`--hub=${hub}`]);
  return strayText({ strays: () => full } as unknown as PodManager, { node: "n1", options });
}

Deno.test("strayText() says which pods run on, and what a person can do", () => {
  strictEqual(text([]), undefined);
  match(text([{}]) ?? "", /default\/p0 \(u0\).*token create --node n1 --replace.*crictl rmp/s);
  const own = text([{ fromManifest: true }]) ?? "";
  match(own, /manifests.*crictl rmp/);
  strictEqual(own.includes("token create"), false, "no hub knows it");
  strictEqual(text([{}], "")?.includes("token create"), false, "there is no hub");
  match(text(Array.from({ length: 12 }, () => ({}))) ?? "", /p9 \(u9\) and 2 more\. What/);
});
