import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import {
  AGENT_OPTIONS,
  EXIT,
  HUB_OPTIONS,
  parseOptions,
  parseReady,
  RUNNER_OPTIONS,
} from "../core/parts/mod.ts";
import { endedText, lines, partArgs, startsAgain } from "./launch.ts";

Deno.test("partArgs() gives every part its own set and never all permissions", () => {
  const parts = [
    partArgs({ part: "hub", options: parseOptions(HUB_OPTIONS, []) }),
    partArgs({
      part: "agent",
      main: "/agent.js",
      options: parseOptions(AGENT_OPTIONS, ["--hub=hub.test:1"]),
    }),
    partArgs({ part: "runner", options: parseOptions(RUNNER_OPTIONS, []), library: "/lib.so" }),
  ];
  deepStrictEqual(
    parts.map((args) => args.find((arg) => arg.startsWith("-P="))),
    ["-P=cloud", "-P=agent", "-P=runner"],
  );
  for (const args of parts) {
    strictEqual(args.includes("-A") || args.includes("--allow-all"), false);
    // A kind without a list would be granted whole.
    for (const arg of args) strictEqual(/^--allow-(read|write|net|run)$/.test(arg), false, arg);
    strictEqual(args.includes("--no-prompt"), true);
  }
});

Deno.test("partArgs() lets only the runner start a program, and only Deno", () => {
  const hub = partArgs({ part: "hub", options: parseOptions(HUB_OPTIONS, []) });
  strictEqual(hub.some((arg) => arg.startsWith("--allow-run")), false);
  const runner = partArgs({
    part: "runner",
    options: parseOptions(RUNNER_OPTIONS, []),
    library: "/lib.so",
  });
  strictEqual(runner.includes(`--allow-run=${Deno.execPath()}`), true);
});

Deno.test("partArgs() grants the agent its hub, its sockets by full path and its pods", () => {
  const args = partArgs({
    part: "agent",
    main: "/agent.js",
    options: parseOptions(AGENT_OPTIONS, ["--hub=hub.test:1", "--pod-cidr=10.9.0.0/16"]),
  });
  const net = args.find((arg) => arg.startsWith("--allow-net=")) ?? "";
  match(net, /hub\.test:1/);
  match(net, /10\.9\.0\.0\/16/);
  match(net, /unix:\/[^,]*control\.sock/);
});

Deno.test("lines() splits what arrives in pieces", async () => {
  const pieces = ["on", "e\ntwo\n\nth", "ree"].map((text) => new TextEncoder().encode(text));
  const found: string[] = [];
  for await (const line of lines(ReadableStream.from(pieces))) found.push(line);
  deepStrictEqual(found, ["one", "two", "", "three"]);
});

Deno.test("parseReady() takes only ready lines", () => {
  deepStrictEqual(parseReady('{"ready":{"a":1}}'), { ready: { a: 1 } });
  strictEqual(parseReady('{"level":"info"}'), undefined);
  strictEqual(parseReady('{"ready":'), undefined);
});

Deno.test("startsAgain() gives up where a restart cannot help, and soon on a state in use", () => {
  for (const code of [EXIT.usage, EXIT.cannotCreate, EXIT.noState, EXIT.needsJoin]) {
    strictEqual(startsAgain({ code }, 0), false, String(code));
  }
  strictEqual(startsAgain({ code: EXIT.failure }, 0), true);
  strictEqual(startsAgain({ code: 137, signal: "SIGKILL" }, 0), true);
  deepStrictEqual([1, 2, 3, 4].map((times) => startsAgain({ code: EXIT.inUse }, times)), [
    true,
    true,
    true,
    false,
  ]);
});

Deno.test("endedText() names the part, how it ended and why", () => {
  strictEqual(
    endedText("hub", { code: 74, reason: "it is damaged" }),
    "the hub ended with exit code 74: it is damaged",
  );
  strictEqual(
    endedText("agent", { code: 137, signal: "SIGKILL" }),
    "the agent was killed by SIGKILL",
  );
});
