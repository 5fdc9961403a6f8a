import { deepStrictEqual, throws } from "node:assert/strict";
import { isAppError } from "../base/mod.ts";
import { dropNulls } from "./nulls.ts";

Deno.test("dropNulls() takes null members away at every depth, and copies", () => {
  const value = { a: null, b: { c: null, d: [{ e: null, f: 0 }, "", false] }, g: "" };
  deepStrictEqual(dropNulls(value), { b: { d: [{ f: 0 }, "", false] }, g: "" });
  deepStrictEqual(value.a, null);
});

Deno.test("dropNulls() names an item of a list that is null", () => {
  throws(
    () => dropNulls({ spec: { containers: [{ envFrom: [null] }] } }),
    (error) =>
      isAppError(error, "BadRequest") &&
      error.message === "spec.containers[0].envFrom[0]: must not be null",
  );
});
