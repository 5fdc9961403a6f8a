import assert from "node:assert/strict";
import type { KubeObject } from "../api/mod.ts";
import { Picture } from "./picture.ts";

function object(name: string, version: number, uid = name): KubeObject {
  const metadata = { name, uid, resourceVersion: String(version) };
  return { apiVersion: "v1", kind: "ConfigMap", metadata };
}

/** A picture and what it told, each with the version. */
function rig(...known: KubeObject[]) {
  const picture = new Picture();
  const told: string[] = [];
  const word = ({ metadata: { uid, resourceVersion } }: KubeObject) => `${uid}@${resourceVersion}`;
  for (const one of known) add(picture, one);
  picture.subscribe({
    added: (one) => told.push(`+${word(one)}`),
    updated: (one) => told.push(`~${word(one)}`),
    deleted: (one) => told.push(`-${word(one)}`),
  });
  return { picture, told, all: () => picture.view.list().map(word).sort() };
}

function add(picture: Picture<KubeObject>, one: KubeObject): void {
  picture.apply({ type: "ADDED", object: one, resourceVersion: "9" });
}

function remove(picture: Picture<KubeObject>, one: KubeObject): void {
  picture.apply({ type: "DELETED", object: one, resourceVersion: "9" });
}

Deno.test("Picture.wrote() shows it at once, and neither its echo nor what it overtook is told", () => {
  const { picture, told } = rig(object("a", 1));
  picture.wrote(object("a", 3));
  add(picture, object("a", 2));
  add(picture, object("a", 3));
  picture.wrote(object("a", 1));
  add(picture, object("a", 4));
  assert.deepEqual(told, ["~a@3", "~a@4"]);
});

Deno.test("Picture.removed() takes it out at once, and no late word of it brings it back", () => {
  const { picture, told, all } = rig(object("a", 1));
  picture.removed(object("a", 1));
  add(picture, object("a", 2));
  picture.wrote(object("a", 3));
  remove(picture, object("a", 4));
  assert.deepEqual(told, ["-a@1"]);
  // Another one of that name is another one.
  add(picture, object("a", 5, "b"));
  remove(picture, object("a", 6));
  assert.deepEqual(all(), ["b@5"]);
});

Deno.test("what is written while a snapshot runs is in it, and what is removed is not", () => {
  const { picture, told, all } = rig(object("gone", 1), object("old", 1));
  picture.beginSnapshot();
  picture.wrote(object("new", 7));
  picture.removed(object("gone", 1));
  add(picture, object("gone", 1));
  add(picture, object("kept", 2));
  picture.wrote(object("kept", 8));
  add(picture, object("kept", 3));
  assert.deepEqual(told, ["+new@7", "-gone@1", "+kept@8"]);
  picture.endSnapshot();
  assert.deepEqual(told.slice(3), ["-old@1"]);
  assert.deepEqual(all(), ["kept@8", "new@7"]);
});

Deno.test("a snapshot is right also where it is older, and a dropped one changes nothing", () => {
  const { picture, told, all } = rig(object("a", 10), object("b", 20));
  picture.removed(object("b", 20));
  picture.beginSnapshot();
  add(picture, object("c", 5));
  picture.dropSnapshot();
  assert.deepEqual(all(), ["a@10"]);
  told.length = 0;
  picture.beginSnapshot();
  for (const one of [object("a", 5), object("b", 6)]) add(picture, one);
  picture.endSnapshot();
  assert.deepEqual(told, ["~a@5", "+b@6"]);
});

Deno.test("Picture.apply() takes back what left the selection and returned to it", () => {
  const { picture, told } = rig(object("a", 1));
  remove(picture, object("a", 9));
  add(picture, object("a", 8));
  add(picture, object("a", 10));
  add(picture, object("a", 11));
  assert.deepEqual(told, ["-a@9", "+a@10", "~a@11"]);
});

Deno.test("the answer to a write brings nothing back that a snapshot has shown to be gone", () => {
  const { picture, told, all } = rig(object("a", 1));
  picture.beginSnapshot();
  picture.endSnapshot();
  picture.wrote(object("a", 2));
  assert.deepEqual(all(), []);
  // It is there after all: it had only left the selection.
  add(picture, object("a", 3));
  assert.deepEqual(told, ["-a@1", "+a@3"]);
});
