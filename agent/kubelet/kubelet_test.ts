import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import { AppError, systemClock, VirtualClock } from "../../core/base/mod.ts";
import { type LocalStore, openSqliteStore } from "../../core/store/mod.ts";
import { createKubelet, type KubeletParts } from "./kubelet.ts";
import { type KubeletRoute, matchRoute } from "./routes.ts";

const never = new AbortController().signal;

function storeWith(...pods: [name: string, node: string][]): LocalStore {
  const store = openSqliteStore({ path: ":memory:", clock: new VirtualClock() });
  store.transact((tx) => {
    for (const [name, nodeName] of pods) {
      const pod: Pod = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: "default", uid: `uid-${name}` },
        spec: { nodeName, containers: [{ name: "main", image: "i" }] },
      };
      tx.put(RESOURCES.pods, pod);
    }
  });
  return store;
}

async function ask(
  parts: Omit<KubeletParts, "clock">,
  path: string,
): Promise<[number, string]> {
  const response = await createKubelet({ ...parts, clock: systemClock }).fetch({
    method: "GET",
    path,
  }, never);
  return [response.status, await response.text()];
}

const route = (method: "GET" | "POST", path: string): KubeletRoute => ({
  method,
  path,
  handle: () => new Response(path),
});

Deno.test("matchRoute() takes parts from braces and fits whole paths only", () => {
  const routes = [
    route("GET", "/healthz"),
    route("GET", "/containerLogs/{ns}/{pod}/{container}"),
    route("POST", "/run/{ns}/{pod}/{container}"),
  ];
  const found = (method: string, path: string) => matchRoute(routes, method, path)?.parts;
  deepStrictEqual(found("GET", "/healthz"), {});
  deepStrictEqual(found("GET", "/containerLogs/a/b/c%2Fd"), {
    ns: "a",
    pod: "b",
    container: "c/d",
  });
  for (
    const [method, path] of [
      ["GET", "/healthz/"],
      ["GET", "/containerLogs/a/b"],
      ["GET", "/containerLogs/a//c"],
      ["GET", "/containerLogs/a/b/c/d"],
      ["GET", "/run/a/b/c"],
      ["POST", "/healthz"],
      ["GET", "/%zz"],
      ["GET", ""],
    ] as const
  ) strictEqual(found(method, path), undefined, `${method} ${path}`);
});

Deno.test("createKubelet() says its health, the pods of its node, and what it does not serve", async () => {
  using store = storeWith(["mine", "n1"], ["other", "n2"]);
  const parts = { node: "n1", store, routes: [route("GET", "/stats/summary")] };
  deepStrictEqual(await ask(parts, "/healthz"), [200, "ok"]);
  const [, list] = await ask(parts, "/pods");
  deepStrictEqual(JSON.parse(list).items.map((pod: Pod) => pod.metadata.name), ["mine"]);
  deepStrictEqual(await ask(parts, "/stats/summary?x=1"), [200, "/stats/summary"]);
  const [code, text] = await ask(parts, "/configz");
  strictEqual(code, 404);
  match(text, /the kubelet serves no GET \/configz/);
});

Deno.test("createKubelet() reads logs with the options of the query and refuses what is not there", async () => {
  using store = storeWith(["mine", "n1"]);
  const asked: unknown[] = [];
  const pods = {
    readLogs: (
      request: { options: { container: string; follow: boolean; tailLines?: number } },
    ) => {
      const { container, follow, tailLines } = request.options;
      asked.push([container, follow, tailLines]);
      if (follow) throw new AppError("BadRequest", "is waiting to start");
      return new Response("line\n").body;
    },
  } as unknown as NonNullable<KubeletParts["pods"]>;
  const parts = { node: "n1", store, pods };
  const path = "/containerLogs/default/mine/main";
  deepStrictEqual(await ask(parts, `${path}?tailLines=3`), [200, "line\n"]);
  // By plain text: kubectl prints the body as it is.
  deepStrictEqual(await ask(parts, `${path}?follow=true`), [400, "is waiting to start"]);
  deepStrictEqual(asked, [["main", false, 3], ["main", true, undefined]]);
  strictEqual((await ask(parts, `${path}x`))[0], 400);
  strictEqual((await ask(parts, "/containerLogs/default/none/main"))[0], 404);
  const [, text] = await ask({ node: "n1", store }, path);
  match(text, /^[^{]*has no container runtime/);
});
