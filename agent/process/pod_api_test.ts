import assert from "node:assert/strict";
import { errorText } from "../../core/base/mod.ts";
import { ClusterPhases } from "./pod_api.ts";

Deno.test("ClusterPhases ends a phase when the cluster can be asked no more or again, and not between", () => {
  const phases = new ClusterPhases();
  const seen: [string | undefined, string][] = [];
  const set = (connected: boolean, serverAway?: boolean): void => {
    const { ends } = phases.now;
    phases.set({ connected, ...(serverAway === undefined ? {} : { serverAway }) });
    seen.push([phases.now.away, ends.aborted ? errorText(ends.reason) : "goes on"]);
    assert.equal(phases.now.ends.aborted, false);
  };
  assert.equal(phases.now.away, "hub");
  set(false);
  set(true, false);
  set(true, true);
  set(false);
  set(true, true);
  set(true, false);
  set(true);
  set(false);
  assert.deepEqual(seen, [
    ["hub", "goes on"],
    [undefined, "the cluster's API server is back"],
    ["server", "the API server has gone away"],
    ["hub", "goes on"],
    ["server", "goes on"],
    [undefined, "the cluster's API server is back"],
    [undefined, "goes on"],
    ["hub", "the link to the hub has gone"],
  ]);
});
