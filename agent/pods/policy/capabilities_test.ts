import { strictEqual } from "node:assert/strict";
import { capabilityProblem } from "./capabilities.ts";

Deno.test("capabilityProblem() names what is no capability", () => {
  for (const good of [undefined, [], ["ALL"], ["NET_ADMIN", "sys_time", "CHECKPOINT_RESTORE"]]) {
    strictEqual(capabilityProblem(good), undefined);
  }
  strictEqual(capabilityProblem(["KILL", "NOSUCH"]), 'there is no capability "NOSUCH"');
  strictEqual(
    capabilityProblem(["CAP_KILL"]),
    'there is no capability "CAP_KILL" (names have no CAP_ before them)',
  );
});
