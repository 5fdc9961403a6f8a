import assert from "node:assert/strict";
import fc from "fast-check";
import type { KubeObject, Pod } from "../api/mod.ts";
import { absenceCounts, claimInterest, claimKeysOf, volumeStep } from "./claims.ts";

/** By `printf 'vol-0csi.example.comgw1' | sha256sum`. */
const ATTACHMENT = "volumeattachments.storage.k8s.io//" +
  "csi-cbb7a56cfd92a12d5aba660bfadb7887e38a66b8cb737acb6aab6c283cbc9a36";
const CLAIM = "persistentvolumeclaims/a/data";
const VOLUME = "persistentvolumes//pv";

function pod(volumes: unknown): Pod {
  const metadata = { name: "p", namespace: "a" };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: { volumes } as never };
}

function claim(phase: string, volumeName: unknown = "pv"): KubeObject {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data", namespace: "a", uid: "u" },
    spec: { volumeName },
    status: { phase },
  };
}

function volume(source: unknown, claimRef: unknown = { namespace: "a", name: "data", uid: "u" }) {
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: "pv" },
    spec: { csi: source, claimRef },
  };
}

const CSI = { driver: "csi.example.com", volumeHandle: "vol-0" };

function chain(claim?: KubeObject, volume?: KubeObject): string[] {
  return claimInterest(CLAIM, "gw1", {
    claim: (namespace, name) => namespace === "a" && name === "data" ? claim : undefined,
    volume: (name) => name === "pv" ? volume : undefined,
  });
}

Deno.test("claimKeysOf() names the claims of volumes, generic ephemeral ones too", () => {
  const volumes = [
    { name: "v", persistentVolumeClaim: { claimName: "data" } },
    { name: "scratch", ephemeral: { volumeClaimTemplate: { spec: {} } } },
    { name: "other", emptyDir: {} },
  ];
  assert.deepEqual(claimKeysOf(pod(volumes)), [CLAIM, "persistentvolumeclaims/a/p-scratch"]);
});

Deno.test("claimKeysOf() takes anything, and gives only names", () => {
  const volume = fc.record({
    name: fc.jsonValue(),
    persistentVolumeClaim: fc.oneof(fc.jsonValue(), fc.record({ claimName: fc.jsonValue() })),
    ephemeral: fc.jsonValue(),
  }, { requiredKeys: [] });
  const volumes = fc.oneof(fc.jsonValue(), fc.array(fc.oneof(fc.jsonValue(), volume)));
  fc.assert(fc.property(volumes, (volumes) => {
    for (const key of claimKeysOf(pod(volumes))) {
      assert.match(key, /^persistentvolumeclaims\/a\/[^/]+$/);
    }
  }));
});

Deno.test("claimKeysOf() names nothing by a text that is no name: it could be another object's key", () => {
  for (const claimName of ["data/x", "/x", ".", "..", "", "Data"]) {
    assert.deepEqual(claimKeysOf(pod([{ name: "v", persistentVolumeClaim: { claimName } }])), []);
  }
});

Deno.test("claimInterest() goes from claim to volume to attachment, as far as is known", () => {
  assert.deepEqual(chain(), []);
  assert.deepEqual(chain(claim("Bound")), [VOLUME]);
  assert.deepEqual(chain(claim("Bound"), volume(CSI)), [ATTACHMENT, VOLUME]);
});

Deno.test("claimInterest() takes no volume that a claim only asks for", () => {
  for (const phase of ["Pending", "Lost", ""]) assert.deepEqual(chain(claim(phase)), []);
  assert.deepEqual(chain(claim("Bound", "")), []);
});

Deno.test("claimInterest() takes no volume that is another's by its own word", () => {
  const others = [
    { namespace: "b", name: "data", uid: "u" },
    { namespace: "a", name: "else", uid: "u" },
    { namespace: "a", name: "data", uid: "before" },
    null,
  ];
  for (const ref of others) assert.deepEqual(chain(claim("Bound"), volume(CSI, ref)), []);
});

Deno.test("claimInterest() knows no attachment of a volume that is not by CSI", () => {
  for (
    const source of [undefined, null, {}, { driver: "csi.example.com" }, { ...CSI, driver: 1 }]
  ) {
    assert.deepEqual(chain(claim("Bound"), volume(source)), [VOLUME]);
  }
});

Deno.test("claimInterest() takes any claim and volume without throwing, and gives only names", () => {
  const json = fc.jsonValue();
  const spec = fc.oneof(
    json,
    fc.record({ volumeName: json, csi: fc.oneof(json, fc.record({ driver: json })) }),
  );
  fc.assert(fc.property(spec, spec, json, (spec, other, status) => {
    const odd = { ...claim("Bound"), spec, status };
    const bound = { ...claim("Bound"), spec: { volumeName: "pv" } };
    const pv = { ...volume(CSI), spec: other };
    for (const key of [...chain(odd, pv), ...chain(bound, pv)]) {
      assert.match(key, /^(persistentvolumes|volumeattachments\.storage\.k8s\.io)\/\/[^/]+$/);
    }
  }));
});

Deno.test("absenceCounts() only after all has been read that could lead to it", () => {
  const interest = new Set([CLAIM, VOLUME, "pods/a/p", "secrets/a/s"]);
  const after = (key: string, ...read: string[]): boolean =>
    absenceCounts(key, interest, (one) => read.includes(one));
  assert.deepEqual(["pods/a/p", CLAIM, VOLUME, ATTACHMENT].map(volumeStep), [-1, 0, 1, 2]);
  // Of the interest: when it has been read itself.
  assert.equal(after(CLAIM), false);
  assert.equal(after(CLAIM, CLAIM), true);
  // Not of it: pods are always known, so claims are; a volume needs the claims.
  assert.equal(after("persistentvolumeclaims/a/old"), true);
  assert.equal(after("persistentvolumes//old"), false);
  assert.equal(after("persistentvolumes//old", CLAIM), true);
  assert.equal(after(ATTACHMENT, CLAIM), false);
  assert.equal(after(ATTACHMENT, CLAIM, VOLUME), true);
  // Other kinds are asked for at the store.
  assert.equal(after("secrets/a/s"), true);
  assert.equal(after("secrets/a/old"), true);
});
