import assert from "node:assert/strict";
import fc from "fast-check";
import { AppError } from "../../base/mod.ts";
import { MERGE_FIELDS } from "../patch/mod.ts";
import { RESOURCES } from "../resources.ts";
import { checkFields, decodeKubeProtobuf, schemaTypes, type TypeRef } from "./mod.ts";

/** Writes one field of a protobuf message; the encoder that the tests need. */
function field(number: number, value: number | string | number[]): number[] {
  if (typeof value === "number") return [...varint(number << 3), ...varint(value)];
  const bytes = typeof value === "string" ? [...new TextEncoder().encode(value)] : value;
  return [...varint((number << 3) | 2), ...varint(bytes.length), ...bytes];
}

function varint(value: number): number[] {
  const out: number[] = [];
  let left = BigInt.asUintN(64, BigInt(value));
  do {
    out.push(Number(left & 0x7fn) | (left > 0x7fn ? 0x80 : 0));
    left >>= 7n;
  } while (left > 0n);
  return out;
}

function envelope(apiVersion: string, kind: string, message: number[]): Uint8Array {
  const meta = [...field(1, apiVersion), ...field(2, kind)];
  return new Uint8Array([0x6b, 0x38, 0x73, 0, ...field(1, meta), ...field(2, message)]);
}

Deno.test("every type that a field names is described, and merge keys name real fields", () => {
  const plain = new Set([
    "string",
    "bytes",
    "bool",
    "int32",
    "int64",
    "float64",
    "Quantity",
    "IntOrString",
    "Time",
    "MicroTime",
    "Duration",
    "any",
  ]);
  const nameOf = (ref: TypeRef): string => ref.form === "named" ? ref.name : nameOf(ref.of);
  const types = schemaTypes();
  for (const type of types.values()) {
    for (const one of type.fields) {
      const name = nameOf(one.type);
      assert.ok(plain.has(name) || types.has(name), `${type.name}.${one.name} is of ${name}`);
    }
  }
  for (const [type, fields] of Object.entries(MERGE_FIELDS)) {
    for (const [name, rule] of Object.entries(fields)) {
      const ref = types.get(type)?.byName.get(name)?.type;
      assert.ok(ref, `${type}.${name} is in the table of merge keys only`);
      if (rule.key === undefined) continue;
      const item = types.get(nameOf(ref));
      if (item) assert.ok(item.byName.has(rule.key), `${type}.${name} has no ${rule.key}`);
    }
  }
});

Deno.test("checkFields() finds unknown fields and wrong types by their paths", () => {
  const report = checkFields(RESOURCES.pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", labels: { a: 1 } as never, creationTimestamp: null as never },
    spec: {
      containers: [{ name: "c", image: "x", port: [], resources: { limits: { cpu: 1 } } }],
      volumes: [{ name: "v", emptyDir: {}, hostPth: {} }],
      terminationGracePeriodSeconds: 1.5,
    },
    extra: true,
  });
  assert.deepEqual(report.unknown, ["spec.containers[0].port", "spec.volumes[0].hostPth", "extra"]);
  assert.deepEqual(report.wrong, [
    "metadata.labels.a: must be a string, not 1",
    "spec.terminationGracePeriodSeconds: must be an integer, not 1.5",
  ]);
});

Deno.test("checkFields() never throws, whatever an object holds", () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 5 }), (junk) => {
    checkFields(RESOURCES.pods, { spec: junk, status: junk } as never);
    checkFields(RESOURCES.services, junk as never);
  }));
});

Deno.test("decodeKubeProtobuf() reads scalars, maps, lists, inline members and pointers to zero", () => {
  const container = [
    ...field(1, "c"),
    ...field(2, "nginx"),
    ...field(5, ""), // workingDir: not set, but always on the wire
    ...field(6, [...field(3, 80), ...field(4, "")]),
    ...field(8, field(1, [...field(1, "cpu"), ...field(2, field(1, "100m"))])),
  ];
  const volume = [...field(1, "v"), ...field(2, field(19, [...field(1, field(1, "cm"))]))];
  const template = field(2, [...field(1, volume), ...field(2, container)]);
  const meta = [
    ...field(1, "web"),
    ...field(8, []),
    ...field(11, [...field(1, "a"), ...field(2, "b")]),
  ];
  const message = [
    ...field(1, meta),
    ...field(2, [...field(1, 0), ...field(3, template), ...field(5, 0)]),
  ];
  assert.deepEqual(decodeKubeProtobuf(envelope("apps/v1", "Deployment", message)), {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", labels: { a: "b" } },
    spec: {
      replicas: 0,
      template: {
        spec: {
          volumes: [{ name: "v", configMap: { name: "cm" } }],
          containers: [{
            name: "c",
            image: "nginx",
            ports: [{ containerPort: 80 }],
            resources: { limits: { cpu: "100m" } },
          }],
        },
      },
    },
  });
});

Deno.test("decodeKubeProtobuf() reads bytes, times and int-or-string", () => {
  const secret = [...field(2, [...field(1, "k"), ...field(2, [1, 2, 3])]), ...field(3, "Opaque")];
  assert.deepEqual(decodeKubeProtobuf(envelope("v1", "Secret", secret)), {
    apiVersion: "v1",
    kind: "Secret",
    data: { k: "AQID" },
    type: "Opaque",
  });
  const lease = field(2, [...field(3, [...field(1, 1767225600), ...field(2, 5000)])]);
  assert.deepEqual(decodeKubeProtobuf(envelope("coordination.k8s.io/v1", "Lease", lease))["spec"], {
    acquireTime: "2026-01-01T00:00:00.000005Z",
  });
  const port = (target: number[]): number[] =>
    field(2, field(1, [...field(3, 80), ...field(4, target)]));
  const named = decodeKubeProtobuf(
    envelope("v1", "Service", port([...field(1, 1), ...field(3, "http")])),
  );
  const number = decodeKubeProtobuf(
    envelope("v1", "Service", port([...field(1, 0), ...field(2, 8080)])),
  );
  assert.deepEqual(named["spec"], { ports: [{ port: 80, targetPort: "http" }] });
  assert.deepEqual(number["spec"], { ports: [{ port: 80, targetPort: 8080 }] });
});

Deno.test("decodeKubeProtobuf() fails only with an AppError, whatever bytes it is given", () => {
  const good = envelope("v1", "Pod", field(2, field(2, [...field(1, "c"), ...field(2, "x")])));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.uint8Array({ maxLength: 60 }).map((tail) => new Uint8Array([0x6b, 0x38, 0x73, 0, ...tail])),
    fc.uint8Array({ maxLength: 60 }).map((body) => envelope("v1", "Pod", [...body])),
    fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, value]) => good.with(at, value)),
    fc.nat(good.length).map((size) => good.slice(0, size)),
  );
  fc.assert(
    fc.property(bytes, (data) => {
      try {
        decodeKubeProtobuf(data);
      } catch (error) {
        assert.ok(error instanceof AppError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});
