import assert from "node:assert/strict";
import { type KubeObject, resourceOfKind, RESOURCES } from "../../core/api/mod.ts";
import { ms } from "../../core/base/mod.ts";
import { customProblems } from "../../core/api/mod.ts";
import { acceptedManifests } from "../../tests/golden/kubeedge/manifests.ts";
import { until } from "../until_test_helper.ts";
import { withGroups } from "./harness_test_helper.ts";
import { ACTED_ON, withIdleStatus } from "./idle_kinds.ts";

const ACTED = new Set(["NodeGroup", "EdgeApplication", "WasmFunction"]);

Deno.test("objects of kinds that nobody acts on say so", () =>
  withGroups(async ({ create, find }) => {
    const objects = (await acceptedManifests()).filter(({ kind }) => !ACTED.has(kind));
    for (const object of objects) {
      const resource = resourceOfKind(object.apiVersion, object.kind);
      assert.ok(resource);
      await create(resource, object);
      const { name } = object.metadata;
      let there: KubeObject | undefined;
      await until(async () => {
        there = await find(resource, name);
        return there?.["status"]?.conditions?.length === 1;
      });
      const [condition] = there?.["status"].conditions;
      assert.deepEqual(
        [condition.type, condition.status, condition.reason],
        [ACTED_ON, "False", "NotActedOn"],
      );
      assert.match(condition.message, new RegExp(`keeps a ${object.kind} and does not act on it`));
      // What the status held before stays, and all of it fits the kind.
      for (const [key, value] of Object.entries(object["status"] ?? {})) {
        assert.deepEqual(there?.["status"][key], value);
      }
      assert.deepEqual(
        customProblems({ ...resource, hasStatus: false }, there ?? object),
        [],
        object.kind,
      );
    }
  }));

Deno.test("without rights to what they hold, EdgeApplications say that nobody acts on them", () =>
  withGroups(async ({ create, find }) => {
    const app = (await acceptedManifests()).find(({ kind }) => kind === "EdgeApplication");
    assert.ok(app);
    await create(RESOURCES.edgeapplications, app);
    await until(async () => {
      const there = await find(RESOURCES.edgeapplications, app.metadata.name);
      return there?.["status"]?.conditions?.some((one: { type: string; message: string }) =>
        one.type === ACTED_ON && one.message.includes("--applications is off")
      );
    });
  }, { applications: false }));

Deno.test("withIdleStatus() leaves an object that says so already", () => {
  const object: KubeObject = {
    apiVersion: "devices.kubeedge.io/v1beta1",
    kind: "Device",
    metadata: { name: "d" },
    status: { conditions: "odd" },
  };
  const once = withIdleStatus(object, RESOURCES.devices, { now: ms(0) });
  assert.notEqual(once, object);
  assert.equal(withIdleStatus(once, RESOURCES.devices, { now: ms(5) }), once);
});
