import assert from "node:assert/strict";
import { RESOURCES } from "../api/mod.ts";
import { type Regress, VersionMark } from "./version_mark.ts";

const { pods, configmaps, events, leases } = RESOURCES;

function rig(): { mark: VersionMark; told: Regress[] } {
  const told: Regress[] = [];
  return { mark: new VersionMark((regress) => void told.push(regress)), told };
}

Deno.test("VersionMark tells once when a list shows an older version than was seen of any kind", () => {
  const { mark, told } = rig();
  mark.saw(pods, "100");
  mark.listed(configmaps, "100", mark.now());
  assert.deepEqual(told, []);
  const before = mark.now();
  mark.listed(configmaps, "60", before);
  // Another list, asked for before the first was answered.
  mark.listed(pods, "61", before);
  assert.deepEqual(told, [{ from: 100, to: 60 }]);
  assert.equal(mark.newest, 60);
});

Deno.test("VersionMark goes by what had been seen when a list was asked for", () => {
  const { mark, told } = rig();
  mark.saw(pods, "100");
  const before = mark.now();
  mark.saw(pods, "105");
  mark.listed(configmaps, "101", before);
  assert.deepEqual(told, []);
  assert.equal(mark.newest, 105);
});

Deno.test("VersionMark lets no watch go on from a version of before the restore, even when the server has reached it", () => {
  const { mark, told } = rig();
  mark.saw(pods, "100");
  assert.ok(mark.isPresent(pods, "90"));
  mark.turn({ from: 120, to: 60 });
  mark.saw(pods, "110");
  assert.ok(!mark.isPresent(pods, "90"));
  assert.ok(!mark.isPresent(pods, "120"));
  assert.ok(mark.isPresent(pods, "121"));
  mark.listed(pods, "50", mark.now());
  assert.equal(told.length, 2);
});

Deno.test("VersionMark leaves out kinds that may be in a database of their own", () => {
  const { mark, told } = rig();
  mark.saw(pods, "100");
  mark.saw(events, "900");
  mark.listed(leases, "3", mark.now());
  assert.deepEqual([mark.newest, told], [100, []]);
  assert.ok(mark.isPresent(leases, "1"));
});
