import { match, strictEqual } from "node:assert/strict";
import { platformProblem } from "./platform.ts";

const GOOD = { os: "linux", arch: "aarch64", deno: "2.9.6" };

Deno.test("platformProblem() takes Linux on x86_64 and arm64 with a new enough Deno", () => {
  strictEqual(platformProblem(GOOD), undefined);
  strictEqual(platformProblem({ ...GOOD, arch: "x86_64", deno: "2.10.0" }), undefined);
  strictEqual(platformProblem({ ...GOOD, deno: "3.0.0-rc.1" }), undefined);
});

Deno.test("platformProblem() says what is missing elsewhere", () => {
  match(platformProblem({ ...GOOD, os: "darwin" }) ?? "", /Linux with glibc, this is darwin/);
  match(platformProblem({ ...GOOD, arch: "riscv64" }) ?? "", /this is riscv64/);
  match(platformProblem({ ...GOOD, deno: "2.9.5" }) ?? "", /needs Deno 2\.9\.6/);
  match(platformProblem({ ...GOOD, deno: "1.46.3" }) ?? "", /needs Deno/);
});
