import assert from "node:assert/strict";
import { RESOURCES } from "../../core/api/mod.ts";
import { AppError, systemClock } from "../../core/base/mod.ts";
import { openSqliteStore, type Store } from "../../core/store/mod.ts";
import type { Join } from "../join/mod.ts";
import { answerCall } from "./calls.ts";

const signal = new AbortController().signal;
const peer = { name: "n1", fingerprint: "f", remote: "r" };

function ask(store: Pick<Store, "list">, method: string): Promise<unknown> {
  const parts = { join: {} as Join, issueToken: undefined, store };
  return answerCall(parts, peer, { method, body: {}, signal });
}

Deno.test("answerCall() names all pods that the store has for the node, and no others", async () => {
  using store = openSqliteStore({ path: ":memory:", clock: systemClock });
  assert.deepEqual(await ask(store, "pods"), { uids: [] });
  const uids: (string | undefined)[] = [];
  for (const [namespace, nodeName] of [["a", "n1"], ["b", "n1"], ["a", "n2"], ["b", undefined]]) {
    const made = await store.create(RESOURCES.pods, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace: namespace ?? "", name: `p-${nodeName}` },
      spec: { ...(nodeName ? { nodeName } : {}), containers: [{ name: "c", image: "i" }] },
    });
    if (nodeName === "n1") uids.push(made.metadata.uid);
  }
  assert.deepEqual(await ask(store, "pods"), { uids });
});

Deno.test("answerCall() does not answer when the store cannot be read", async () => {
  const list = (): Promise<never> => Promise.reject(new AppError("ServiceUnavailable", "away"));
  await assert.rejects(ask({ list }, "pods"), { code: "ServiceUnavailable" });
  await assert.rejects(ask({ list }, "other"), { code: "MethodNotAllowed" });
});

Deno.test("answerCall() passes on a request for a token only with names of objects", async () => {
  using store = openSqliteStore({ path: ":memory:", clock: systemClock });
  const asked: string[] = [];
  const parts = {
    join: {} as Join,
    issueToken: (_node: string, { serviceAccount }: { serviceAccount: string }) => {
      asked.push(serviceAccount);
      return Promise.resolve({ token: "t", expires: "" });
    },
    store,
  };
  const good = {
    ...{ namespace: "shop", serviceAccount: "web.v1", pod: "web-0", uid: "u" },
    ...{ audience: "", expirationSeconds: 3600 },
  };
  const token = (body: unknown) => answerCall(parts, peer, { method: "token", body, signal });
  assert.deepEqual(await token(good), { token: "t", expires: "" });
  for (const bad of ["", ".", "..", "../api", "a/b", "A", "a\n"]) {
    for (const field of ["namespace", "serviceAccount", "pod"]) {
      await assert.rejects(token({ ...good, [field]: bad }), { code: "BadRequest" }, bad);
    }
  }
  assert.deepEqual(asked, ["web.v1"]);
});
