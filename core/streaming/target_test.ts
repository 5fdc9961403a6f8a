import { deepStrictEqual, throws } from "node:assert/strict";
import type { Pod } from "../api/mod.ts";
import { isAppError } from "../base/mod.ts";
import { parseTarget, type StreamVerb, type Wording } from "./target.ts";

const container = (name: string, more: object = {}): Pod["spec"]["containers"][number] => ({
  name,
  image: "i",
  ...more,
});

function pod(...names: string[]): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "default" },
    spec: {
      containers: names.map((name) => container(name)),
      initContainers: [container("first")],
      ephemeralContainers: [container("debugger", { tty: true })],
    },
  };
}

function parse(verb: StreamVerb, query: string, of = pod("main"), wording: Wording = "api") {
  return parseTarget(verb, new URLSearchParams(query), of, wording);
}

Deno.test("parseTarget() reads the API's words and the kubelet's", () => {
  const want = {
    kind: "remote-command",
    container: "main",
    command: ["sh", "-c", "a b"],
    stdin: true,
    stdout: true,
    stderr: true,
    tty: false,
  };
  const command = "command=sh&command=-c&command=a%20b";
  deepStrictEqual(parse("exec", `${command}&stdin=true&stdout=true&stderr=1`), want);
  deepStrictEqual(
    parse("exec", `${command}&input=1&output=1&error=1`, pod("main"), "kubelet"),
    want,
  );
  deepStrictEqual(parse("portforward", ""), { kind: "port-forward", ports: [] });
  deepStrictEqual(parse("portforward", "ports=80&ports=81,82"), {
    kind: "port-forward",
    ports: [80, 81, 82],
  });
  deepStrictEqual(parse("portforward", "port=80", pod("main"), "kubelet"), {
    kind: "port-forward",
    ports: [80],
  });
});

Deno.test("parseTarget() gives who has a terminal no stderr, and attach the container's own terminal", () => {
  const outputs = "stdout=true&stderr=true";
  const ends = (verb: StreamVerb, query: string): boolean[] => {
    const target = parse(verb, `${query}&${outputs}`);
    return target.kind === "remote-command" ? [target.tty, target.stderr] : [];
  };
  deepStrictEqual(ends("exec", "command=sh&tty=true"), [true, false]);
  deepStrictEqual(ends("attach", "container=debugger&tty=true"), [true, false]);
  deepStrictEqual(ends("attach", ""), [false, true]);
  deepStrictEqual(ends("attach", "tty=true"), [false, false]);
  deepStrictEqual(ends("attach", "container=debugger"), [true, true], "for the runtime to refuse");
});

Deno.test("parseTarget() refuses in Kubernetes' words", () => {
  const cases: [StreamVerb, string, RegExp, Pod?][] = [
    ["exec", "stdout=1", /at least one command/],
    ["exec", "command=ls", /at least 1 of stdin, stdout, stderr/],
    ["exec", "command=ls&stdout=1&container=x", /container x is not valid for pod web/],
    [
      "exec",
      "command=ls&stdout=1",
      /must be specified for pod web, choose one of: \[a b\]/,
      pod("a", "b"),
    ],
    ["attach", "", /at least 1 of/],
    ["portforward", "ports=0", /numbers from 1 to 65535/],
    ["portforward", "ports=http", /numbers from 1 to 65535/],
    ["portforward", `ports=${"1,".repeat(65)}`, /at most 64/],
  ];
  for (const [verb, query, words, of] of cases) {
    throws(
      () => parse(verb, query, of),
      (error) => isAppError(error, "BadRequest") && words.test(error.message),
      query,
    );
  }
});
