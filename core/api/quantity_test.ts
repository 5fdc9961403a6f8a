import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compareQuantities,
  formatQuantity,
  isQuantity,
  parseQuantity,
  quantityToMilli,
  quantityToNumber,
  quantityToUnits,
} from "./quantity.ts";

Deno.test.each<[string | number, bigint]>([
  ["1", 1_000_000_000n],
  [2, 2_000_000_000n],
  ["100m", 100_000_000n],
  ["0.1", 100_000_000n],
  [".5", 500_000_000n],
  ["-1.5", -1_500_000_000n],
  ["1Ki", 1024_000_000_000n],
  ["1.5Gi", 1_610_612_736_000_000_000n],
  ["2e3", 2_000_000_000_000n],
  ["1E", 1_000_000_000_000_000_000_000_000_000n],
  ["1n", 1n],
  ["0.1n", 1n],
])("parseQuantity(%s)", (text, nano) => {
  assert.equal(parseQuantity(text), nano);
});

Deno.test.each(["", ".", "1.2.3", "1 Gi", "Gi", "1gi", "0x10", "1e", "1e999", "--1", "NaN", "1ki"])(
  "isQuantity() refuses %j",
  (text) => assert.equal(isQuantity(text), false),
);

Deno.test("parseQuantity() caps at 2^63-1", () => {
  assert.equal(parseQuantity("9999Ei"), (2n ** 63n - 1n) * 1_000_000_000n);
});

Deno.test("formatQuantity() and parseQuantity() undo each other", () => {
  const limit = 10n ** 24n;
  fc.assert(fc.property(fc.bigInt({ min: -limit, max: limit }), (nano) => {
    assert.equal(parseQuantity(formatQuantity(nano)), nano);
    assert.equal(parseQuantity(formatQuantity(nano, "binary")), nano);
  }));
});

Deno.test("compareQuantities() orders as the numbers do", () => {
  fc.assert(fc.property(fc.integer(), fc.integer(), (a, b) => {
    assert.equal(compareQuantities(`${a}m`, `${b}m`), Math.sign(a - b) || 0);
  }));
  assert.equal(compareQuantities("1Gi", "1073741824"), 0);
});

Deno.test("quantityToUnits() and quantityToMilli() round up", () => {
  assert.equal(quantityToUnits("1.5"), 2);
  assert.equal(quantityToUnits("64Mi"), 67108864);
  assert.equal(quantityToMilli("100m"), 100);
  assert.equal(quantityToMilli("1u"), 1);
  assert.equal(formatQuantity(parseQuantity("64Mi"), "binary"), "64Mi");
  assert.equal(formatQuantity(parseQuantity("1500m")), "1500m");
});

Deno.test("quantityToNumber() reads Kubernetes' numbers", () => {
  const cases: [string | undefined, number | undefined][] = [
    ["250m", 0.25],
    ["64Mi", 2 ** 26],
    ["1e3", 1000],
    ["1.5G", 1.5e9],
    ["2", 2],
    ["1E", 1e18],
    ["x", undefined],
    ["", undefined],
    ["1 Mi", undefined],
    [undefined, undefined],
  ];
  for (const [text, expected] of cases) assert.equal(quantityToNumber(text), expected, `${text}`);
});
