import assert from "node:assert/strict";
import type { PodObjects } from "../policy/plan.ts";
import { testPod } from "../testing/mod.ts";
import { pullAuths, registryOf } from "./pull_auth.ts";

/** Secrets by name: what their `auths` says. A text stands as it is in the secret. */
function objectsOf(secrets: Record<string, unknown>): PodObjects {
  return {
    tokens: {},
    configMaps: {},
    secrets: Object.fromEntries(
      Object.entries(secrets).map(([name, auths]) => [name, {
        data: {},
        binary: {
          ".dockerconfigjson": btoa(typeof auths === "string" ? auths : JSON.stringify({ auths })),
        },
      }]),
    ),
  };
}

/** The users that are tried for `image`, each with the password `x`. */
function usersFor(image: string, ...keys: string[]): string[] {
  const auths = Object.fromEntries(keys.map((key) => [key, { username: key, password: "x" }]));
  const pod = testPod("p", { imagePullSecrets: [{ name: "s" }] });
  return pullAuths(pod, objectsOf({ s: auths }), image).map(({ username }) => username);
}

Deno.test("pullAuths() passes over secrets that are missing or unreadable", () => {
  const names = ["none", "broken", "list", "empty", "pull"].map((name) => ({ name }));
  const objects = objectsOf({
    broken: "{",
    list: "[]",
    empty: { "reg.test:5000": {} },
    pull: { "https://reg.test:5000/v2/": { auth: btoa("me:pa:ss") } },
  });
  const pod = testPod("p", { imagePullSecrets: names });
  assert.deepEqual(pullAuths(pod, objects, "reg.test:5000/a/b:1"), [
    { username: "me", password: "pa:ss" },
  ]);
  assert.deepEqual(pullAuths(testPod("p"), objects, "reg.test:5000/a/b:1"), []);
});

Deno.test("pullAuths() tries what two secrets say of one registry, in their order", () => {
  const auths = (username: string): unknown => ({ "reg.test": { username, password: "x" } });
  const pod = testPod("p", { imagePullSecrets: [{ name: "b" }, { name: "a" }] });
  const found = pullAuths(pod, objectsOf({ a: auths("one"), b: auths("two") }), "reg.test/x");
  assert.deepEqual(found.map(({ username }) => username), ["two", "one"]);
});

const CASES: [image: string, keys: string[], users: string[]][] = [
  ["reg.test/a", ["reg.test", "other.test", "reg.test:5000", "a.reg.test"], ["reg.test"]],
  ["reg.test:5000/a", ["reg.test", "reg.test:5000"], ["reg.test:5000"]],
  ["reg.test/team/app:1", ["reg.test", "reg.test/team", "reg.test/other"], [
    "reg.test/team",
    "reg.test",
  ]],
  ["my.reg.test/a", ["*.reg.test", "m*y.reg.test", "*.*.test", "*.test", "*x*.reg.test"], [
    "m*y.reg.test",
    "*.reg.test",
    "*.*.test",
  ]],
  ["reg.test:5000/a", ["*", "reg.*", "reg.*:5000"], ["reg.*:5000"]],
  ["busybox", ["https://index.docker.io/v1/", "docker.io", "reg.test"], [
    "https://index.docker.io/v1/",
    "docker.io",
  ]],
  ["docker.io/library/busybox", ["https://index.docker.io/v1/"], ["https://index.docker.io/v1/"]],
];
for (const [image, keys, users] of CASES) {
  Deno.test(`pullAuths() finds for ${image}: ${users.join(", ")}`, () => {
    assert.deepEqual(usersFor(image, ...keys), users);
  });
}

Deno.test("pullAuths() is not held up by a name of stars", () => {
  const image = `${"a".repeat(60)}.${"a".repeat(60)}/x`;
  assert.deepEqual(usersFor(image, `${"*a".repeat(1000)}b.*`), []);
});

Deno.test("registryOf() tells a registry from the first part of a name", () => {
  const images = ["busybox", "team/app", "localhost/x", "reg.test/x:1", "reg:5000/x"];
  assert.deepEqual(images.map(registryOf), [
    "docker.io",
    "docker.io",
    "localhost",
    "reg.test",
    "reg:5000",
  ]);
});

Deno.test("registryOf() takes a first part with a capital letter for a host, as runtimes pull from it", () => {
  assert.equal(registryOf("Reg/app"), "Reg");
});
