import assert from "node:assert/strict";
import { imageNameProblem } from "./image_name.ts";

const HEX = "0123456789abcdef".repeat(4);

for (
  const image of [
    ...["busybox", "busybox:1.36", "library/busybox", "a/b/c:x", "docker.io/library/busybox:1"],
    ...["localhost/a", "localhost:5000/a:b", "reg.example.com:5000/team/web_app:V1.2-rc_3"],
    ...["Foo/bar", "REG.example.com/a__b-c.d", "[fd00::1]:5000/a", "10.0.0.1/a"],
    ...[`busybox@sha256:${HEX}`, `busybox:1@sha256:${HEX}`, `sha256:${HEX}`, "a---b"],
  ]
) {
  Deno.test(`imageNameProblem() has nothing against ${image.slice(0, 60)}`, () => {
    assert.equal(imageNameProblem(image), undefined);
  });
}

const BAD: readonly [image: string, problem: RegExp][] = [
  [
    "Foo",
    /^couldn't parse image name "Foo": invalid reference format: repository name \(library\/Foo\) must be lowercase$/,
  ],
  ["Foo:::bar", /must be lowercase/],
  ["foo:::bar", /^couldn't parse image name "foo:::bar": invalid reference format$/],
  ["reg.test/Team/app:1", /repository name \(reg\.test\/Team\/app\) must be lowercase/],
  ["", /invalid reference format/],
  [" busybox", /invalid reference format/],
  ["a//b", /invalid reference format/],
  ["a/", /invalid reference format/],
  ["-a", /invalid reference format/],
  ["a___b", /invalid reference format/],
  ["a:", /invalid reference format/],
  [`a:${"x".repeat(129)}`, /invalid reference format/],
  ["a@sha256:12", /invalid reference format/],
  ["https://reg.test/a", /invalid reference format/],
  ["bad_host.x/a", /invalid reference format/],
  [HEX, /64-byte hexadecimal/],
  [`reg.test/${"a".repeat(250)}`, /more than 255/],
];

for (const [image, problem] of BAD) {
  Deno.test(`imageNameProblem() refuses ${image.slice(0, 40) || "nothing"}`, () => {
    assert.match(imageNameProblem(image) ?? "", problem);
  });
}
