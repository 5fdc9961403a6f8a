import assert from "node:assert/strict";
import { lintDockerfile, stageNames } from "./dockerfile_lint.ts";

const text = await Deno.readTextFile(new URL("./Dockerfile", import.meta.url));

Deno.test("our Dockerfile keeps our rules", () => {
  assert.deepEqual(lintDockerfile(text), []);
});

Deno.test("our Dockerfile has a stage for every process", () => {
  assert.deepEqual(stageNames(text), ["build", "base", "hub", "runner", "agent"]);
});

Deno.test("our Dockerfile copies only what is there and what the ignore file lets through", async () => {
  const ignore = await Deno.readTextFile(new URL("./Dockerfile.dockerignore", import.meta.url));
  const sources = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)]
    .flatMap((match) => (match[1] ?? "").split(" "));
  assert.ok(sources.includes("deno.lock"));
  for (const source of sources) {
    await Deno.stat(new URL(`../${source}`, import.meta.url));
    assert.ok(ignore.includes(`!${source}\n`), `${source} is ignored`);
  }
});

Deno.test("our Dockerfile uses the Deno that the README names", async () => {
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  const versions = (
    from: string,
  ): string[] => [
    ...new Set([...from.matchAll(/deno@(\d+\.\d+\.\d+)/g)].map((match) => match[1] ?? "")),
  ];
  assert.deepEqual(versions(text), versions(readme));
  assert.equal(versions(text).length, 1);
});

const BASE = "FROM debian:bookworm-slim\n";
const CASES: readonly [line: string, problem: RegExp][] = [
  ["FROM debian", /debian needs a tag/],
  ["FROM debian:latest", /needs a tag other than latest/],
  ["ADD a b", /use COPY/],
  ["RUN apt-get install -y curl", /apt-get update, --no-install-recommends, rm -rf/],
  ["RUN npm install deno", /exact versions: deno/],
  ["RUN npm install \\\n  --prefix /opt deno@2", /exact versions: deno@2/],
  ["RUN fetch a | sh", /not run unseen/],
  ["RUN fetch https://example.com/a", /names no host/],
  ["COPY --from=other /a /b", /no stage other/],
  ["ENV JOIN_TOKEN=x", /secret/],
  ["USER root", /needs a comment/],
  ["# because\nUSER 0:0", /needs a comment/],
  ["WORKDIR app", /absolute/],
  ["USER 1\nENTRYPOINT deno run", /exec form/],
  [`ENTRYPOINT ["deno"]`, /no USER/],
];

for (const [line, problem] of CASES) {
  Deno.test(`lintDockerfile() refuses "${line.replaceAll("\n", " ")}"`, () => {
    const messages = lintDockerfile(BASE + line).map(({ message }) => message);
    assert.equal(messages.length, 1);
    assert.match(messages[0] ?? "", problem);
  });
}

Deno.test("lintDockerfile() takes a root user with a reason, and names the line", () => {
  assert.deepEqual(lintDockerfile(`${BASE}# root: the socket is root's\nUSER root`), []);
  assert.deepEqual(lintDockerfile(`${BASE}\n# a\nADD a b`).map(({ line }) => line), [4]);
});
