import assert from "node:assert/strict";
import type { KubeObject, Overriders } from "../../core/api/mod.ts";
import { deployment } from "./harness_test_helper.ts";
import { overrideImage } from "./image_name.ts";
import { override, podSpecOf } from "./override.ts";

const SHA = `sha256:${"ab".repeat(32)}`;

Deno.test.each([
  ["nginx", "Registry", "replace", "r.example:5000", "r.example:5000/nginx"],
  ["nginx", "Registry", "add", "r.example", "r.example/nginx"],
  ["r.example/a/b:1", "Registry", "replace", "s.example", "s.example/a/b:1"],
  ["r.example/a/b:1", "Registry", "add", ":5000", "r.example:5000/a/b:1"],
  ["r.example/a/b:1", "Registry", "remove", undefined, "a/b:1"],
  ["localhost/a", "Registry", "remove", undefined, "a"],
  ["library/nginx:1", "Registry", "replace", "r.example", "r.example/library/nginx:1"],
  ["r.example/a:1", "Repository", "replace", "c/d", "r.example/c/d:1"],
  ["r.example/a:1", "Repository", "add", "-arm", "r.example/a-arm:1"],
  ["a:1", "Tag", "replace", "2", "a:2"],
  ["a:1", "Tag", "add", "-arm", "a:1-arm"],
  ["a", "Tag", "replace", "2", "a:2"],
  ["a:1", "Tag", "remove", undefined, "a"],
  [`a@${SHA}`, "Tag", "remove", undefined, "a"],
  [`a@${SHA}`, "Tag", "replace", "2", "a:2"],
  ["a:1", "Tag", "replace", `@${SHA}`, `a@${SHA}`],
  ["a:1", "Tag", "replace", SHA, `a@${SHA}`],
  [`r.example/a:1@${SHA}`, "Registry", "replace", "s.example", `s.example/a:1@${SHA}`],
])("overrideImage() of %s: %s %s %s gives %s", (image, component, operator, value, expected) => {
  const rule = { component, operator, ...(value === undefined ? {} : { value }) };
  assert.equal(overrideImage(image, rule), expected);
});

Deno.test("overrideImage() refuses what gives no name", () => {
  assert.throws(
    () => overrideImage("r.example/a:1", { component: "Repository", operator: "remove" }),
    /nothing is left of the image/,
  );
  assert.throws(
    () => overrideImage("a", { component: "Tag", operator: "replace", value: "a b" }),
    /neither a tag nor a digest/,
  );
});

const WEB = "registry.example/web:1.0";

Deno.test.each<[string, Overriders, Record<string, unknown>]>([
  ["nothing", {}, {}],
  ["an image of every container", {
    imageOverriders: [{ component: "Tag", operator: "replace", value: "2" }],
  }, { image: "registry.example/web:2" }],
  ["one image by its path", {
    imageOverriders: [{
      component: "Registry",
      operator: "remove",
      predicate: { path: "/spec/template/spec/containers/0/image" },
    }],
  }, { image: "web:1.0" }],
  ["several changes of an image in their order", {
    imageOverriders: [
      { component: "Registry", operator: "replace", value: "r.example" },
      { component: "Repository", operator: "add", value: "-arm" },
    ],
  }, { image: "r.example/web-arm:1.0" }],
  ["variables that are added and replaced", {
    envOverriders: [{
      containerName: "main",
      operator: "add",
      value: [{ name: "MODE", value: "b" }, { name: "NEW", value: "1" }],
    }],
  }, { env: [{ name: "MODE", value: "b" }, { name: "NEW", value: "1" }] }],
  ["variables that are taken out by name", {
    envOverriders: [{
      containerName: "main",
      operator: "remove",
      value: [{ name: "MODE" }, { name: "X" }],
    }],
  }, { env: [] }],
  ["commands and arguments", {
    commandOverriders: [{ containerName: "main", operator: "add", value: ["run", "--fast"] }],
    argsOverriders: [
      { containerName: "main", operator: "add", value: ["a", "b"] },
      { containerName: "main", operator: "remove", value: ["a"] },
    ],
  }, { command: ["run", "--fast"], args: ["b"] }],
  ["resources", {
    resourcesOverriders: [{ containerName: "main", value: { limits: { cpu: "1" } } }],
  }, { resources: { limits: { cpu: "1" } } }],
  ["a container that is not there", {
    argsOverriders: [{ containerName: "other", operator: "add", value: ["a"] }],
  }, {}],
])("override() changes %s", (_what, rules, expected) => {
  const object = deployment();
  override(object, rules);
  assert.deepEqual(podSpecOf(object)["containers"], [{
    name: "main",
    image: WEB,
    env: [{ name: "MODE", value: "a" }],
    ...expected,
  }]);
});

Deno.test("override() leaves init containers as they are, but for an image by its path", () => {
  const initContainers = [{ name: "main", image: WEB }, { name: "other", image: WEB }];
  const object = deployment();
  podSpecOf(object)["initContainers"] = structuredClone(initContainers);
  const tag = { component: "Tag", operator: "replace", value: "2" } as const;
  const containerName = "main";
  override(object, {
    imageOverriders: [tag],
    envOverriders: [{ containerName, operator: "add", value: [{ name: "A", value: "1" }] }],
    argsOverriders: [{ containerName, operator: "add", value: ["a"] }],
    resourcesOverriders: [{ containerName, value: { limits: { cpu: "1" } } }],
  });
  assert.deepEqual(podSpecOf(object)["initContainers"], initContainers);
  const path = "/spec/template/spec/initContainers/1/image";
  override(object, { imageOverriders: [{ ...tag, predicate: { path } }] });
  const images = podSpecOf(object)["initContainers"].map(({ image }: { image: string }) => image);
  assert.deepEqual(images, [WEB, "registry.example/web:2"]);
});

Deno.test("override() sets replicas where there are any", () => {
  const web = deployment();
  override(web, { replicas: 3 });
  assert.equal(web["spec"].replicas, 3);
  const daemons: KubeObject = { ...deployment(), kind: "DaemonSet" };
  delete daemons["spec"].replicas;
  override(daemons, { replicas: 3 });
  assert.equal(daemons["spec"].replicas, undefined);
});

Deno.test.each([
  "/spec/template/spec/containers/3/image",
  "spec/template/spec/containers/0/image",
  "/spec/template/spec/containers",
  "/spec/__proto__/x",
  "",
])("override() says that there is no image at %j", (path) => {
  const rule = { component: "Tag", operator: "remove", predicate: { path } } as const;
  assert.throws(
    () => override(deployment(), { imageOverriders: [rule] }),
    /imageOverriders\[0\]: there is no image at/,
  );
});

Deno.test("override() says that a workload has no pod spec", () => {
  const object = { ...deployment(), spec: {} };
  assert.throws(() => override(object, {}), /spec\.template\.spec is missing/);
});
