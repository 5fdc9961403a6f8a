import { FakeMachine } from "../../agent/runtimes/fake/mod.ts";
import type { ContainerBehaviour } from "../../agent/runtimes/fake/mod.ts";
import { mib, ms, systemClock } from "../../core/base/mod.ts";
import { type Program, runtimeConformance, type RuntimeHarness } from "./runtime.ts";

/** A busy container of the fake has burnt a second when it starts. */
const BURNT = 1e9;
const IMAGE = "skerry.test/busybox:1";

function makeFake(): Promise<RuntimeHarness> {
  const machine = new FakeMachine({ clock: systemClock });
  machine.addImage(IMAGE);
  machine.imageFilesystems.push({ mountpoint: "/images", used: mib(1), inodes: 1 });
  machine.script(IMAGE, ({ command: [kind, value = ""] }): ContainerBehaviour => {
    const exec: ContainerBehaviour["exec"] = ([stdout = "", stderr = "", code]) => ({
      exitCode: Number(code),
      stdout,
      stderr,
    });
    if (kind === "exit") return { exitAfter: ms(5), exitCode: Number(value) };
    if (kind === "stubborn") return { onTerm: "ignore" };
    if (kind === "busy") {
      return {
        usage: (ran) => ({ cpuNanos: BURNT + ran * 1e6, workingSet: mib(8), memory: mib(9) }),
      };
    }
    if (kind === "absent") return { startError: "no such program" };
    return { exec };
  });
  const runtime = machine.connect();
  return Promise.resolve({
    runtime,
    again: () => machine.connect(),
    image: IMAGE,
    absentImage: "127.0.0.1:1/absent/image:1",
    logDirectory: "/logs",
    command: (program: Program) =>
      program.kind === "exit" ? ["exit", String(program.code)] : [program.kind],
    memoryLimit: (id: string) =>
      Promise.resolve(machine.containers.get(id)?.resources.memoryLimit ?? 0),
    exec: (out: string, err: string, code: number) => [out, err, String(code)],
    [Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
  });
}

runtimeConformance("FakeMachine", makeFake);
