import assert from "node:assert/strict";
import { matchRoute, planRoutes, type RouteClaim } from "./routes.ts";

function claim(name: string, createdAt: number, ...paths: string[]): RouteClaim {
  const triggers = paths.map((path) => ({ path, methods: [], maxBodyBytes: 0 }));
  return { uid: name, namespace: "default", name, createdAt, triggers };
}

const { routes } = planRoutes([
  claim("root", 1, "/"),
  claim("a", 1, "/a"),
  claim("ab", 1, "/a/b"),
]);

for (
  const [path, uid] of [
    ["/", "root"],
    ["", "root"],
    ["/x", "root"],
    ["/a", "a"],
    ["/a/", "a"],
    ["/ab", "root"],
    ["/a/b", "ab"],
    ["/a/bc", "a"],
    ["/a/b/c/d", "ab"],
    ["/a//b", "a"],
  ]
) {
  Deno.test(`matchRoute() gives ${JSON.stringify(path)} to ${uid}`, () => {
    assert.equal(matchRoute(routes, path ?? "")?.uid, uid);
  });
}

Deno.test("matchRoute() finds nothing when no prefix is there", () => {
  assert.equal(matchRoute(planRoutes([claim("a", 1, "/a")]).routes, "/b"), undefined);
});

Deno.test("planRoutes() gives a path to the oldest claim whatever the order, and tells the others", () => {
  const claims = [claim("young", 2, "/p", "/q"), claim("old", 1, "/p")];
  for (const list of [claims, claims.toReversed()]) {
    const plan = planRoutes(list);
    assert.equal(plan.routes.get("/p")?.uid, "old");
    assert.equal(plan.routes.get("/q")?.uid, "young");
    assert.deepEqual([...plan.conflicts], [["young", [{ path: "/p", owner: "default/old" }]]]);
  }
});
