import assert from "node:assert/strict";
import type { KubeObject } from "../object.ts";
import { MIRROR_ANNOTATION } from "../pod.ts";
import { RESOURCES } from "../resources.ts";
import { podPartProblems, setDefaults, takePodPart, validateObject } from "./mod.ts";

const main = {
  name: "main",
  image: "app:1",
  resources: { requests: { cpu: "100m", memory: "1Mi" }, limits: { memory: "2Mi" } },
};

function pod(spec: object = {}, metadata: object = {}): KubeObject {
  const made: KubeObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default", uid: "u", ...metadata },
    spec: { containers: [main], ...spec },
  };
  setDefaults(RESOURCES.pods, made);
  return made;
}

function texts(problems: readonly { field?: string; message: string }[]): string[] {
  return problems.map(({ field, message }) => `${field}: ${message.trim()}`);
}

function debugWith(container: object, old = pod()): string[] {
  const next = structuredClone(old);
  const list = old["spec"].ephemeralContainers ?? [];
  next["spec"].ephemeralContainers = [...list, { name: "dbg", image: "tools", ...container }];
  setDefaults(RESOURCES.pods, next);
  return texts(podPartProblems("ephemeralcontainers", next, old));
}

Deno.test("takePodPart() takes the part and nothing else", () => {
  const old = pod();
  const next = pod({ hostNetwork: true, ephemeralContainers: [{ name: "dbg", image: "t" }] }, {
    labels: { a: "b" },
    resourceVersion: "7",
  });
  const taken = takePodPart("ephemeralcontainers", old, next);
  assert.equal(taken["spec"].hostNetwork, undefined);
  assert.equal(taken["spec"].ephemeralContainers.length, 1);
  assert.deepEqual(taken.metadata, { ...old.metadata, resourceVersion: "7" });
  const sized = pod({ containers: [{ ...main, image: "app:2", resources: {} }] });
  const [container] = takePodPart("resize", old, sized)["spec"].containers;
  assert.equal(container.image, "app:1");
  assert.deepEqual(container.resources, {});
});

Deno.test("ephemeral containers may be added, and that is all", () => {
  assert.deepEqual(debugWith({ stdin: true, tty: true, targetContainerName: "main" }), []);
  const lead = "spec.ephemeralContainers[0]";
  const why = "Forbidden: cannot be set for an Ephemeral Container";
  for (
    const [field, value] of Object.entries({
      ports: [{ containerPort: 80 }],
      livenessProbe: { exec: { command: ["x"] } },
      lifecycle: { preStop: { exec: { command: ["x"] } } },
      resources: { limits: { cpu: "1" } },
      resizePolicy: [{ resourceName: "cpu", restartPolicy: "NotRequired" }],
    })
  ) assert.ok(debugWith({ [field]: value }).includes(`${lead}.${field}: ${why}`), field);
  assert.deepEqual(debugWith({ targetContainerName: "other" }), [
    `${lead}.targetContainerName: Not found: "other"`,
  ]);
  assert.deepEqual(debugWith({ name: "main" }), [`${lead}.name: Duplicate value: "main"`]);
  const has = pod({ ephemeralContainers: [{ name: "old", image: "tools" }] });
  assert.deepEqual(debugWith({}, has), []);
  assert.match(
    texts(podPartProblems("ephemeralcontainers", pod(), has)).join(),
    /"old" may not be removed/,
  );
  const other = pod({ ephemeralContainers: [{ name: "old", image: "tools:2" }] });
  assert.match(
    texts(podPartProblems("ephemeralcontainers", other, has)).join(),
    /"old" may not be changed/,
  );
  const mirror = pod({}, { annotations: { [MIRROR_ANNOTATION]: "m" } });
  assert.deepEqual(debugWith({}, mirror), [
    "metadata: Forbidden: static pods do not support ephemeral containers",
  ]);
});

Deno.test("ephemeral containers come to pods that are there, by their own subresource", () => {
  const made = pod({ ephemeralContainers: [{ name: "dbg", image: "tools" }] });
  assert.deepEqual(texts(validateObject(RESOURCES.pods, made)), [
    "spec.ephemeralContainers: Forbidden: cannot be set on create",
  ]);
  assert.match(texts(validateObject(RESOURCES.pods, made, pod())).join(), /^spec: Forbidden/);
});

function resized(resources: object, more: object = {}, old: object = {}): string[] {
  const before = pod(old);
  return texts(
    podPartProblems("resize", pod({ containers: [{ ...main, resources }], ...more }), before),
  );
}

Deno.test("a resize changes amounts of cpu and memory within the QoS class", () => {
  const { requests, limits } = main.resources;
  assert.deepEqual(
    resized({ requests: { cpu: "1", memory: "2Mi" }, limits: { memory: "4Mi" } }),
    [],
  );
  assert.deepEqual(resized({ requests, limits: { ...limits, cpu: "1" } }), []);
  assert.deepEqual(resized({ requests }), [
    "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed",
  ]);
  assert.deepEqual(resized({ requests: { ...requests, "x.y/z": "1" }, limits }), [
    "spec: Forbidden: only cpu and memory resources are mutable",
  ]);
  const all = { cpu: "1", memory: "4Mi" };
  assert.deepEqual(resized({ requests: all, limits: all }), [
    'spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing',
  ]);
  const init = { name: "init", image: "app:1", resources: { requests: { cpu: "1" } } };
  const small = { initContainers: [{ ...init, resources: { requests: { cpu: "2" } } }] };
  assert.deepEqual(resized(main.resources, small, { initContainers: [init] }), [
    "spec.initContainers[0].resources: Forbidden: resources for non-sidecar init containers are immutable",
  ]);
});

Deno.test.each<[string, object, string]>([
  [
    "an init container of another policy",
    { initContainers: [{ name: "i", image: "a", restartPolicy: "Never" }] },
    'spec.initContainers[0].restartPolicy: Unsupported value: "Never": supported values: "Always"',
  ],
  [
    "a hook of an init container",
    { initContainers: [{ name: "i", image: "a", lifecycle: { preStop: { exec: {} } } }] },
    "spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always",
  ],
  [
    "a hook that does nothing",
    { containers: [{ ...main, lifecycle: { postStart: {} } }] },
    "spec.containers[0].lifecycle.postStart: Required value: must specify a handler type",
  ],
  [
    "a sleep longer than the grace",
    {
      terminationGracePeriodSeconds: 5,
      containers: [{ ...main, lifecycle: { preStop: { sleep: { seconds: 6 } } } }],
    },
    "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 6: must be non-negative and less than terminationGracePeriodSeconds (5)",
  ],
])("validateObject() refuses %s", (_, spec, expected) => {
  assert.deepEqual(texts(validateObject(RESOURCES.pods, pod(spec))), [expected]);
});

Deno.test("a pod's deadline may come nearer and not go away", () => {
  const at = (activeDeadlineSeconds?: number): KubeObject =>
    pod(activeDeadlineSeconds === undefined ? {} : { activeDeadlineSeconds });
  const change = (from: KubeObject, to: KubeObject): string[] =>
    texts(validateObject(RESOURCES.pods, to, from));
  assert.deepEqual(change(at(), at(5)), []);
  assert.deepEqual(change(at(5), at(4)), []);
  assert.match(change(at(5), at(6)).join(), /less than or equal to previous value/);
  assert.match(change(at(5), at()).join(), /must not update from a positive integer to nil value/);
});
