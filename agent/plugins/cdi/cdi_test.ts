import assert from "node:assert/strict";
import { cdiGrant, CdiSpec } from "./edits.ts";
import { loadCdiSpecs } from "./load.ts";

const SPEC = {
  cdiVersion: "0.6.0",
  kind: "vendor.com/gpu",
  containerEdits: {
    env: ["SHARED=1"],
    mounts: [{
      hostPath: "/usr/lib/v.so",
      containerPath: "/lib/v.so",
      options: ["ro", "nosuid", "bind"],
    }],
  },
  devices: [
    { name: "gpu0", containerEdits: { env: ["ID=0"], deviceNodes: [{ path: "/dev/gpu0" }] } },
    {
      name: "gpu1",
      containerEdits: {
        deviceNodes: [{ path: "/dev/gpu", hostPath: "/dev/gpu1", permissions: "r" }],
      },
    },
    { name: "hooked", containerEdits: { hooks: [{ hookName: "createContainer", path: "/x" }] } },
  ],
};

Deno.test("cdiGrant() joins the edits of the devices and, once, those of their kind", () => {
  const grant = cdiGrant([CdiSpec.parse(SPEC)], ["vendor.com/gpu=gpu0", "vendor.com/gpu=gpu1"]);
  assert.deepEqual(grant, {
    env: { SHARED: "1", ID: "0" },
    mounts: [{
      hostPath: "/usr/lib/v.so",
      containerPath: "/lib/v.so",
      readonly: true,
      propagation: "private",
    }],
    devices: [
      { containerPath: "/dev/gpu0", hostPath: "/dev/gpu0", permissions: "rwm" },
      { containerPath: "/dev/gpu", hostPath: "/dev/gpu1", permissions: "r" },
    ],
    annotations: {},
    cdiDevices: [],
  });
});

Deno.test.each([
  ["a device that is nowhere", "vendor.com/gpu=gpu9", /in no CDI spec/],
  ["a name that is none", "gpu0", /in no CDI spec/],
  ["a hook", "vendor.com/gpu=hooked", /asks for hooks, which only a runtime with CDI can do/],
])("cdiGrant() refuses %s", (_, name, want) => {
  assert.throws(() => cdiGrant([CdiSpec.parse(SPEC)], [name]), want);
});

Deno.test("loadCdiSpecs() reads JSON and YAML, tells of what is no spec, misses no folder", async () => {
  const dir = await Deno.makeTempDir();
  await Deno.writeTextFile(`${dir}/a.json`, JSON.stringify(SPEC));
  await Deno.writeTextFile(
    `${dir}/b.yaml`,
    "cdiVersion: 0.5.0\nkind: vendor.com/gpu\ndevices:\n- name: gpu0\n  containerEdits: {env: [ID=b]}\n",
  );
  await Deno.writeTextFile(`${dir}/c.json`, "{}");
  await Deno.writeTextFile(`${dir}/readme.txt`, "x");
  const bad: string[] = [];
  const specs = await loadCdiSpecs([`${dir}/none`, dir], (path) => bad.push(path));
  assert.deepEqual(bad, [`${dir}/c.json`]);
  assert.deepEqual(specs.map(({ cdiVersion }) => cdiVersion), ["0.6.0", "0.5.0"]);
  // The later one wins.
  assert.deepEqual(cdiGrant(specs, ["vendor.com/gpu=gpu0"]).env, { ID: "b" });
  await Deno.remove(dir, { recursive: true });
});
