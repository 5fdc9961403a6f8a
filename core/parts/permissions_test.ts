import { deepStrictEqual, throws } from "node:assert/strict";
import { isAppError } from "../base/mod.ts";
import { hubPermissions, permissionFlags } from "./permissions.ts";
import { HUB_OPTIONS } from "./parts.ts";
import { parseOptions } from "./options.ts";

Deno.test("permissionFlags() lists every item once and leaves out empty kinds", () => {
  deepStrictEqual(permissionFlags({ read: ["/a", "/b", "/a"], write: [], net: ["h:1"] }), [
    "--allow-read=/a,/b",
    "--allow-net=h:1",
  ]);
});

Deno.test("permissionFlags() refuses a path with a comma, which would grant two others", () => {
  const options = parseOptions(HUB_OPTIONS, ["--state-dir=/a,/etc"]);
  throws(
    () => permissionFlags(hubPermissions(options)),
    (error: Error) => isAppError(error, "BadRequest") && error.message.startsWith("/a,/etc: "),
  );
});
