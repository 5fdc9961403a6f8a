import assert from "node:assert/strict";
import { parse, stringify } from "yaml";
import { decide } from "../../../agent/pods/mod.ts";
import { ms, toTime } from "../../../core/base/mod.ts";

/** Times in the files are relative to this. */
const NOW = Date.UTC(2026, 0, 1);
const DAY = 24 * 3600 * 1000;
const FOLDER = new URL("./cases/", import.meta.url);

/** Reads `<Now>` and `<Now-10s>`: as RFC 3339 inside of the pod, as milliseconds elsewhere. */
function fromFile(value: unknown, inPod: boolean): unknown {
  if (typeof value === "string") {
    const match = /^<Now(?:([+-][\d.]+)s)?>$/.exec(value);
    if (!match) return value;
    const at = ms(NOW + Number(match[1] ?? 0) * 1000);
    return inPod ? toTime(at) : at;
  }
  if (Array.isArray(value)) return value.map((one) => fromFile(one, inPod));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, fromFile(one, inPod || key === "pod")]),
  );
}

function toFile(value: unknown): unknown {
  if (typeof value === "number" && Math.abs(value - NOW) < DAY) return relative(value);
  if (typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:]+Z$/.test(value)) {
    return relative(Date.parse(value));
  }
  if (Array.isArray(value)) return value.map(toFile);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, toFile(one)]));
}

function relative(at: number): string {
  const seconds = (at - NOW) / 1000;
  return seconds === 0 ? "<Now>" : `<Now${seconds > 0 ? "+" : ""}${seconds}s>`;
}

const BASE_ENV = {
  node: {
    nodeName: "n1",
    runtime: "containerd",
    hostIPs: ["192.0.2.1"],
    allowPrivileged: false,
    memoryVolumes: true,
  },
  objects: { configMaps: {}, secrets: {}, tokens: {} },
  images: {},
  probes: {},
  mounted: true,
  stopping: {},
  hooks: {},
  messages: {},
  predecessor: false,
};

/** What runs in a case, with what every observation has filled in. */
function viewOf(observed: { sandboxes?: object[]; containers?: object[] } | undefined): unknown {
  const common = { podUid: "u1", labels: {}, annotations: {}, createdAt: NOW - 60_000 };
  return {
    sandboxes: (observed?.sandboxes ?? []).map((one) => ({
      ...common,
      id: "s0",
      podName: "web",
      podNamespace: "default",
      attempt: 0,
      ready: true,
      ips: ["10.0.0.7"],
      ...one,
    })),
    containers: (observed?.containers ?? []).map((one) => ({
      ...common,
      id: "c0",
      sandboxId: "s0",
      name: "main",
      attempt: 0,
      image: "app:1",
      imageRef: "app@sha256:1",
      logPath: "main/0.log",
      ...one,
    })),
  };
}

for await (const entry of Deno.readDir(FOLDER)) {
  const name = entry.name.replace(/\.input\.yaml$/, "");
  if (name === entry.name) continue;
  Deno.test(`decide() answers as written for ${name}`, async () => {
    const text = await Deno.readTextFile(new URL(entry.name, FOLDER));
    // deno-lint-ignore no-explicit-any -- the case is checked by its expected output
    const input = fromFile(parse(text), false) as any;
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      ...input.pod,
      metadata: { name: "web", namespace: "default", uid: "u1", ...input.pod.metadata },
    };
    const env = { ...BASE_ENV, ...input.env };
    // deno-lint-ignore no-explicit-any -- see above
    const plan = decide(pod, viewOf(input.observed) as any, input.memory, ms(NOW), env);
    const actual = stringify(toFile(plan), {
      lineWidth: 100,
      sortMapEntries: true,
      aliasDuplicateObjects: false,
    });
    const file = new URL(`${name}.output.yaml`, FOLDER);
    if (Deno.env.get("UPDATE_GOLDEN") === "1") await Deno.writeTextFile(file, actual);
    assert.equal(actual, await Deno.readTextFile(file));
  });
}
