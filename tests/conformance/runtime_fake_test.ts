import { FakeMachine } from "../../agent/runtimes/fake/mod.ts";
import type { ContainerBehaviour } from "../../agent/runtimes/fake/mod.ts";
import { ms, systemClock } from "../../core/base/mod.ts";
import { type Program, runtimeConformance, type RuntimeHarness } from "./runtime.ts";

const IMAGE = "skerry.test/busybox:1";

function makeFake(): Promise<RuntimeHarness> {
  const machine = new FakeMachine({ clock: systemClock });
  machine.addImage(IMAGE);
  machine.script(IMAGE, ({ command: [kind, value = ""] }): ContainerBehaviour => {
    const exec: ContainerBehaviour["exec"] = ([stdout = "", stderr = "", code]) => ({
      exitCode: Number(code),
      stdout,
      stderr,
    });
    if (kind === "exit") return { exitAfter: ms(5), exitCode: Number(value) };
    if (kind === "stubborn") return { onTerm: "ignore" };
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
    exec: (out: string, err: string, code: number) => [out, err, String(code)],
    [Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
  });
}

runtimeConformance("FakeMachine", makeFake);
