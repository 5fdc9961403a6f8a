// KubeEdge's kinds on the embedded hub.
import assert from "node:assert/strict";
import { acceptedManifests, FOLDER, refusedManifests } from "../golden/kubeedge/manifests.ts";
import { startCluster } from "./cluster.ts";

Deno.test("kubectl applies, lists, explains and changes KubeEdge's kinds, and says what is wrong with them", async () => {
  await using cluster = await startCluster();
  const { ok, kubectl } = cluster;
  await ok(["apply", "-f", `${FOLDER}accepted.yaml`]);
  for (const { kind, metadata, spec } of await acceptedManifests()) {
    const name = `${kind.toLowerCase()}/${metadata.name}`;
    assert.deepEqual(JSON.parse(await ok(["get", name, "-o", "json"])).spec, spec, name);
  }
  const again = await ok(["apply", "-f", `${FOLDER}accepted.yaml`]);
  assert.doesNotMatch(again, /created|configured/);

  for (const { object, expect } of await refusedManifests()) {
    const { code, err } = await kubectl(["create", "-f", "-"], { stdin: JSON.stringify(object) });
    assert.equal(code, 1, object.metadata.name);
    assert.ok(err.includes(expect), `${expect} in ${err}`);
  }
  const odd = JSON.stringify({
    apiVersion: "devices.kubeedge.io/v1beta1",
    kind: "Device",
    metadata: { name: "odd" },
    spec: { nodeName: "a", propertyVisitors: [], protocol: { configData: { a: { b: 1 } } } },
  });
  await ok(["create", "--validate=ignore", "-f", "-"], { stdin: odd });
  const stored = JSON.parse(await ok(["get", "device", "odd", "-o", "json"]));
  assert.deepEqual(stored.spec, { nodeName: "a", protocol: { configData: { a: { b: 1 } } } });

  const lines = async (args: readonly string[]): Promise<string[][]> =>
    (await ok(args)).trimEnd().split("\n").map((line) => line.trimEnd().split(/ {2,}/));
  assert.deepEqual((await lines(["get", "devices", "meter-1"])).map((row) => row.slice(0, 4)), [
    ["NAME", "MODEL", "NODE", "PROTOCOL"],
    ["meter-1", "meter-model", "gateway-1", "modbus"],
  ]);
  assert.deepEqual((await lines(["get", "ng"])).map((row) => row.slice(0, 3)), [
    ["NAME", "NODES", "MATCH-LABELS"],
    ["beijing", '["node-1","node-2"]', '{"location":"beijing"}'],
  ]);
  assert.match(await ok(["explain", "eapp.spec.workloadScope"]), /targetNodeLabels\s+<\[\]Object>/);

  const patch = { spec: { properties: [{ name: "temperature", type: "WORD" }] } };
  const bad = await kubectl([
    "patch",
    "devicemodel",
    "meter-model",
    "--type=merge",
    "-p",
    JSON.stringify(patch),
  ]);
  assert.equal(bad.code, 1);
  assert.match(bad.err, /spec\.properties\[0\]\.type: Unsupported value: "WORD"/);
});
