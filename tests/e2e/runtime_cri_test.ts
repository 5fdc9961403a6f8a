import { createCriRuntime, type Runtime } from "../../agent/runtimes/mod.ts";
import { silentLogger, systemClock } from "../../core/base/mod.ts";
import { startContainerd } from "../../tools/containerd/mod.ts";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import {
  HELD,
  type Program,
  runtimeConformance,
  type RuntimeHarness,
} from "../conformance/runtime.ts";

async function makeCri(): Promise<RuntimeHarness> {
  const containerd = await startContainerd();
  const again = (): Runtime =>
    createCriRuntime({ socketPath: containerd.socket, clock: systemClock, log: silentLogger });
  const runtime = again();
  return {
    runtime,
    again,
    image: TEST_IMAGES.busybox,
    absentImage: "127.0.0.1:1/absent/image:1",
    logDirectory: `${containerd.paths.dir}/logs`,
    command: toCommand,
    memoryLimit,
    exec: (out, err, code) => [
      "sh",
      "-c",
      out.length > 1000
        ? `head -c ${out.length} /dev/zero | tr '\\0' x`
        : `echo "$1"; echo "$2" >&2; exit ${code}`,
      "sh",
      out.length > 1000 ? "" : out,
      err,
    ],
    async [Symbol.asyncDispose]() {
      await runtime[Symbol.asyncDispose]();
      await containerd[Symbol.asyncDispose]();
    },
  };
}

function toCommand(program: Program): string[] {
  switch (program.kind) {
    case "sleep":
      return ["sh", "-c", "trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done"];
    case "stubborn":
      return ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"];
    case "exit":
      return ["sh", "-c", `exit ${program.code}`];
    case "print":
      return ["echo", program.line];
    case "chat":
      return ["sh", "-c", `while :; do echo ${program.line}; sleep 0.05; done`];
    case "busy":
      return ["sh", "-c", `held=$(head -c ${HELD} /dev/zero | tr '\\0' x); while :; do :; done`];
    case "absent":
      return ["/no/such/program"];
  }
}

/** Reads the limit from the container's cgroup, of version 1 or 2. */
async function memoryLimit(id: string): Promise<number> {
  const paths = [
    `/sys/fs/cgroup/memory/skerry/${id}/memory.limit_in_bytes`,
    `/sys/fs/cgroup/skerry/${id}/memory.max`,
  ];
  return Number(await Promise.any(paths.map((path) => Deno.readTextFile(path))));
}

runtimeConformance("createCriRuntime()", makeCri);
