import assert from "node:assert/strict";
import { usesSystemd } from "./cgroup_driver.ts";

Deno.test("usesSystemd() reads the configurations of containerd and CRI-O", () => {
  const containerd = (SystemdCgroup: boolean): string =>
    JSON.stringify({
      containerd: {
        defaultRuntimeName: "runc",
        runtimes: { runc: { options: { SystemdCgroup } }, other: { options: null } },
      },
    });
  assert.equal(usesSystemd(containerd(true)), true);
  assert.equal(usesSystemd(containerd(false)), false);
  assert.equal(usesSystemd('[crio.runtime]\n  cgroup_manager = "systemd"\n'), true);
  assert.equal(usesSystemd('[crio.runtime]\ncgroup_manager = "cgroupfs"\n'), false);
  for (const odd of [undefined, "", "null", "[]", "{}", '{"containerd":{"runtimes":[]}}']) {
    assert.equal(usesSystemd(odd), false, `${odd}`);
  }
});
