import assert from "node:assert/strict";
import fc from "fast-check";
import { isAppError } from "../base/mod.ts";
import { matchFields, parseFieldSelector } from "./field_selectors.ts";
import { parseLabelSelector } from "./selector_parser.ts";
import {
  formatLabelSelector,
  matchLabels,
  matchLabelSelector,
  requirementsOf,
} from "./selectors.ts";

const labels = { app: "web", tier: "a", cores: "8", "example.com/team": "", empty: "" };

Deno.test("parseLabelSelector() and matchLabels() follow Kubernetes' operators", () => {
  const table: [string, boolean][] = [
    ["", true],
    ["  ", true],
    ["app=web", true],
    ["app==web", true],
    ["app = web , tier = a", true],
    ["app!=web", false],
    ["missing!=web", true],
    ["app", true],
    ["missing", false],
    ["!missing", true],
    ["!app", false],
    ["tier in (a,b)", true],
    ["tier in (b)", false],
    ["missing in (a)", false],
    ["tier notin (b,c)", true],
    ["missing notin (b)", true],
    ["tier notin (a)", false],
    ["cores>4", true],
    ["cores>8", false],
    ["cores<9,app in (web)", true],
    ["app>4", false],
    ["empty=", true],
    ["empty=,app=web", true],
    ["empty in (,x)", true],
    ["example.com/team", true],
    ["in in (a)", false],
    ["constructor", false],
  ];
  for (const [text, expected] of table) {
    assert.equal(matchLabels(parseLabelSelector(text), labels), expected, text);
  }
  assert.equal(matchLabels(parseLabelSelector("!app"), undefined), true);
});

Deno.test("parseLabelSelector() refuses what Kubernetes refuses", () => {
  const bad = [
    "a,",
    ",",
    "a in b",
    "a in (b",
    "a in (b c)",
    "=x",
    "a b",
    "a=b c",
    "a>x",
    "!",
    "-a",
  ];
  bad.push("a=-", "a/b/c=d", "a in ()(", "a=" + "x".repeat(64), "x".repeat(9000));
  for (const text of bad) {
    assert.throws(
      () => parseLabelSelector(text),
      (error) => isAppError(error, "BadRequest"),
      text.slice(0, 20),
    );
  }
});

Deno.test("formatLabelSelector() gives text that parses to the same requirements", () => {
  const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
  const requirement = fc.oneof(
    fc.record({
      key: word,
      operator: fc.constantFrom("Exists", "DoesNotExist"),
      values: fc.constant([]),
    }),
    fc.record({
      key: word,
      operator: fc.constantFrom("In", "NotIn"),
      values: fc.uniqueArray(word, { minLength: 1, maxLength: 4 }),
    }),
    fc.record({
      key: word,
      operator: fc.constantFrom("Gt", "Lt"),
      values: fc.integer({ min: 0, max: 99 }).map((n) => [String(n)]),
    }),
  );
  fc.assert(fc.property(fc.array(requirement, { maxLength: 5 }), (given) => {
    // deno-lint-ignore no-explicit-any -- the arbitrary's operator is a plain string
    assert.deepEqual(parseLabelSelector(formatLabelSelector(given as any)), structuredClone(given));
  }));
});

Deno.test("parseLabelSelector() throws nothing but BadRequest whatever the text", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    try {
      parseLabelSelector(text);
      parseFieldSelector(text);
    } catch (error) {
      assert.ok(isAppError(error, "BadRequest"));
    }
  }));
});

Deno.test("matchLabelSelector() selects nothing when absent and everything when empty", () => {
  assert.equal(matchLabelSelector(undefined, labels), false);
  assert.equal(matchLabelSelector({}, labels), true);
  const selector = {
    matchLabels: { app: "web" },
    matchExpressions: [
      { key: "tier", operator: "In", values: ["a", "b"] },
      { key: "old", operator: "DoesNotExist" },
    ],
  };
  assert.equal(matchLabelSelector(selector, labels), true);
  assert.equal(matchLabelSelector(selector, { ...labels, old: "" }), false);
  assert.equal(matchLabelSelector(selector, { app: "web" }), false);
});

Deno.test("requirementsOf() refuses operators and values that do not fit", () => {
  for (const [operator, values] of [["Gt", ["1"]], ["In", []], ["Exists", ["a"]]] as const) {
    assert.throws(
      () => requirementsOf({ matchExpressions: [{ key: "a", operator, values: [...values] }] }),
      (error) => isAppError(error, "Invalid") && error.causes.length === 1,
    );
  }
});

Deno.test("matchFields() compares any path and treats absent as empty or false", () => {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "a", namespace: "x" },
    spec: { nodeName: "n1", hostNetwork: true, note: "a,b=c" },
  };
  const table: [string, boolean][] = [
    ["", true],
    ["metadata.name=a", true],
    ["metadata.name==a,spec.nodeName!=n2", true],
    ["spec.nodeName=n2", false],
    ["spec.hostNetwork=true", true],
    ["spec.unschedulable=false", true],
    ["spec.unschedulable!=true", true],
    ["status.phase=", true],
    ["status.phase!=Failed", true],
    ["spec.note=a\\,b\\=c", true],
    ["spec.constructor.name=Object", false],
  ];
  for (const [text, expected] of table) {
    assert.equal(matchFields(parseFieldSelector(text), pod), expected, text);
  }
  for (const bad of ["metadata.name", "=x", "a>b", "a=b=c", "!a=b"]) {
    assert.throws(() => parseFieldSelector(bad), (error) => isAppError(error, "BadRequest"), bad);
  }
});
