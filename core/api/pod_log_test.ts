import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import type { Pod } from "./pod.ts";
import { parsePodLogOptions } from "./pod_log.ts";

function pod(containers: string[], initContainers: string[] = []): Pod {
  const made = (name: string) => ({ name, image: "i" });
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web" },
    spec: { containers: containers.map(made), initContainers: initContainers.map(made) },
  };
}

function parse(query: string, of = pod(["main"])) {
  return parsePodLogOptions(new URLSearchParams(query), of);
}

Deno.test("parsePodLogOptions() picks the only container and reads every option", () => {
  deepStrictEqual(parse(""), {
    container: "main",
    follow: false,
    previous: false,
    timestamps: false,
  });
  deepStrictEqual(
    parse("follow=true&previous=1&timestamps=true&sinceSeconds=5&tailLines=0&limitBytes=9"),
    {
      container: "main",
      follow: true,
      previous: true,
      timestamps: true,
      sinceSeconds: 5,
      tailLines: 0,
      limitBytes: 9,
    },
  );
  strictEqual(parse("sinceTime=2026-01-01T00:00:00Z").sinceTime, Date.UTC(2026, 0, 1));
});

Deno.test("parsePodLogOptions() asks for a container where there are several", () => {
  throws(() => parse("", pod(["a", "b"], ["c"])), /choose one of: \[a b\].*\[c\]/);
  strictEqual(parse("container=c", pod(["a", "b"], ["c"])).container, "c");
  throws(() => parse("container=x"), /container x is not valid for pod web/);
});

Deno.test("parsePodLogOptions() refuses what is no number or time", () => {
  for (
    const bad of [
      "tailLines=-1",
      "tailLines=x",
      "sinceSeconds=0",
      "limitBytes=1.5",
      "sinceTime=now",
    ]
  ) {
    throws(() => parse(bad));
  }
});
