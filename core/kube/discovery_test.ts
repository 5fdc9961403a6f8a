import assert from "node:assert/strict";
import { AppError, seconds, VirtualClock } from "../base/mod.ts";
import { isKindGone, kindDiscovery } from "./discovery.ts";
import { ANY, type Shape } from "./shapes.ts";

const verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
const never = new AbortController().signal;
const APPS = {
  kind: "APIResourceList",
  groupVersion: "apps/v1",
  resources: [
    { name: "statefulsets", kind: "StatefulSet", namespaced: true, verbs },
    { name: "statefulsets/status", kind: "StatefulSet", namespaced: true, verbs: ["get", "patch"] },
    { name: "reviews", kind: "Review", namespaced: true, verbs: ["create"] },
  ],
};

function rig(answers: Readonly<Record<string, unknown>>) {
  const clock = new VirtualClock();
  const asked: string[] = [];
  const client = {
    call: ({ path, shape = ANY }: { path: string; shape?: Shape }) => {
      asked.push(path);
      const found = answers[path] ?? new AppError("NotFound", path);
      const odd = !(found instanceof Error) && !shape.is(found);
      const answer = odd ? new AppError("ServiceUnavailable", `no ${shape.name}`) : found;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  };
  return { clock, asked, client, ...kindDiscovery({ client, clock }) };
}

/** What a server says of its groups; the first of the versions is preferred where no other is. */
function groupsOf(groups: Readonly<Record<string, readonly string[]>>, preferred?: string) {
  return {
    groups: Object.entries(groups).map(([name, versions]) => ({
      name,
      versions: versions.map((version) => ({ version })),
      ...(preferred === undefined ? {} : { preferredVersion: { version: preferred } }),
    })),
  };
}

Deno.test("kindDiscovery() finds kinds that can be kept, and asks anew after a while", async () => {
  const { clock, asked, find } = rig({
    "/apis": groupsOf({ apps: ["v1"] }),
    "/apis/apps/v1": APPS,
  });
  const found = await find("apps/v1", "StatefulSet");
  assert.deepEqual([found?.group, found?.version, found?.plural], ["apps", "v1", "statefulsets"]);
  assert.deepEqual([found?.namespaced, found?.hasStatus], [true, true]);
  assert.equal(await find("apps/v1", "Review"), undefined, "it can only be created");
  assert.equal(await find("apps/v1", "Nothing"), undefined);
  assert.equal(await find("example.com/v1", "Nothing"), undefined);
  assert.equal(await find("apps/v2", "StatefulSet"), undefined);
  assert.deepEqual(asked, ["/apis", "/apis/apps/v1"], "what is not served is not asked for");
  await clock.advance(seconds(21));
  await find("example.com/v1", "Nothing");
  assert.deepEqual(asked.slice(2), ["/apis"]);
});

Deno.test("kindDiscovery() asks for no path that is none, and keeps no failure", async () => {
  const down = new AppError("ServiceUnavailable", "the server is down");
  const { asked, find } = rig({ "/api/v1": down });
  for (const _ of [1, 2]) await assert.rejects(find("v1", "Pod"), /down/);
  assert.equal(asked.length, 2);
  const { find: other, asked: paths } = rig({ "/apis": groupsOf({ apps: ["v1"] }) });
  for (const one of ["../../api/v1/secrets?x=", "apps/v1/../../x", "/v1", "", "apps/", "/"]) {
    assert.equal(await other(one, "Secret"), undefined);
  }
  assert.deepEqual(paths, ["/apis"]);
});

Deno.test("kindDiscovery() does not take for an answer what is none", async () => {
  for (const odd of ["null", {}, { resources: {} }, { resources: ["Pod"] }]) {
    await assert.rejects(rig({ "/api/v1": odd }).find("v1", "Pod"), /no list of API resources/);
    await assert.rejects(rig({ "/apis": odd }).find("apps/v1", "X"), /no list of API groups/);
  }
});

Deno.test("kindDiscovery() takes null for a version without kinds, as servers in Go write it", async () => {
  assert.equal(await rig({ "/api/v1": { resources: null } }).find("v1", "Pod"), undefined);
});

Deno.test("kindDiscovery() prefers the version that the server prefers, of those that have the kind", async () => {
  const list = (...kinds: string[]) => ({
    resources: kinds.map((kind) => ({ name: kind.toLowerCase(), kind, namespaced: true, verbs })),
  });
  const { asked, prefer } = rig({
    "/api/v1": list("Pod"),
    "/apis": groupsOf({ "plants.example.com": ["v1beta1", "v1", "v2"] }, "v1"),
    "/apis/plants.example.com/v1": list("Valve"),
    "/apis/plants.example.com/v1beta1": list("Valve"),
    "/apis/plants.example.com/v2": list("Pump"),
  });
  const version = async (group: string, kind: string) => (await prefer(group, kind))?.version;
  assert.equal(await version("plants.example.com", "Valve"), "v1");
  assert.equal(await version("plants.example.com", "Pump"), "v2", "only a later one has it");
  assert.equal(await version("plants.example.com", "Nothing"), undefined);
  assert.equal(await version("other.example.com", "Valve"), undefined);
  assert.equal(await version("", "Pod"), "v1");
  assert.equal(asked.filter((path) => path === "/apis").length, 1);
});

Deno.test("isKindGone() goes by what a server says that it serves, and by nothing else", async () => {
  const valves = { group: "example.com", version: "v1", plural: "valves" };
  const list = (name: string) => ({
    groupVersion: "example.com/v1",
    resources: [{ name, kind: "X" }],
  });
  const groups = (version: string) => ({
    groups: [{ name: "apps", versions: [{ version: "v1" }] }, {
      name: "example.com",
      versions: [{ version }],
    }],
  });
  const gone = (answers: Readonly<Record<string, unknown>>) =>
    isKindGone(rig(answers).client, valves, never);
  const path = "/apis/example.com/v1";
  assert.equal(await gone({ "/apis": groups("v1"), [path]: list("valves") }), false);
  assert.equal(await gone({ "/apis": groups("v1"), [path]: list("pumps") }), true);
  assert.equal(await gone({ "/apis": groups("v2") }), true);
  assert.equal(await gone({ "/apis": { groups: [] } }), true);
  for (
    const odd of [{}, { groups: null }, { groups: [null] }, {
      groups: [{ name: "x", versions: [7] }],
    }]
  ) {
    await assert.rejects(gone({ "/apis": odd }), /no list of API groups/);
  }
  for (
    const odd of [{}, { resources: [null] }, { resources: [{ kind: "X" }] }]
  ) {
    await assert.rejects(gone({ "/apis": groups("v1"), [path]: odd }), /no list of API resources/);
  }
  assert.equal(await gone({ "/apis": groups("v1"), [path]: { resources: null } }), false);
  const away = new AppError("ServiceUnavailable", "the server is down");
  await assert.rejects(gone({ "/apis": groups("v1"), [path]: away }), /down/);
  await assert.rejects(gone({ "/apis": away }), /down/);
  assert.equal(await isKindGone(rig({}).client, { ...valves, group: "" }, never), false);
});
