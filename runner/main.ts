/** The runner's process: `deno run -P=runner runner/main.ts [options]`. */
import { systemClock } from "../core/base/mod.ts";
import { printReady, RUNNER_OPTIONS, runPart } from "../core/parts/mod.ts";
import { libraryPath } from "../core/runnerapi/mod.ts";
import { runRunner } from "./runner.ts";

await runPart("runner", RUNNER_OPTIONS, async ({ options, log, signal }) => {
  const library = options.libwasmtime || libraryPath({
    os: Deno.build.os,
    arch: Deno.build.arch,
    env: (name) => Deno.env.get(name),
  });
  const setup = {
    stateDir: options["state-dir"],
    controlSocket: options["control-socket"],
    gateway: { hostname: options["gateway-address"], port: options["gateway-port"] },
    library,
    clock: systemClock,
    log,
    concurrency: Math.max(2, navigator.hardwareConcurrency) * 2,
  };
  await runRunner(setup, signal, (facts) => {
    printReady({ ...facts, socket: options["control-socket"] });
  });
});
