import assert from "node:assert/strict";
import type { Container, PodSpec } from "../../../core/api/mod.ts";
import type { Runtime } from "../../runtimes/mod.ts";
import { PodPaths } from "../paths.ts";
import { tokenKey } from "../pod_tokens.ts";
import { TEST_FACTS, testPod } from "../testing/mod.ts";
import { LinkPool } from "./link_pool.ts";
import { fsUser } from "./ownership.ts";
import { ensureVolumes } from "./volumes.ts";

function container(name: string, runAsUser?: number): Container {
  return {
    name,
    image: "app:1",
    ...(runAsUser === undefined ? {} : { securityContext: { runAsUser } }),
  };
}

Deno.test("fsUser() is the one user of all containers", () => {
  const cases: [Partial<PodSpec>, number | undefined][] = [
    [{}, undefined],
    [{ securityContext: { runAsUser: 1000 } }, 1000],
    [{ containers: [container("a", 1000)] }, 1000],
    [{ containers: [container("a", 0)] }, 0],
    [{ containers: [container("a", 1000), container("b")] }, undefined],
    [{ containers: [container("a", 1000), container("b", 1001)] }, undefined],
    [{ containers: [container("a", 1000)], initContainers: [container("i")] }, undefined],
    [{ containers: [container("a", 1000)], ephemeralContainers: [container("d")] }, undefined],
    [
      { containers: [container("a", 1000), container("b")], securityContext: { runAsUser: 1000 } },
      1000,
    ],
  ];
  for (const [spec, uid] of cases) {
    assert.equal(fsUser(testPod("p", spec)), uid, JSON.stringify(spec));
  }
});

Deno.test("ensureVolumes() keeps a token from other users than the pod's", async () => {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  const paths = new PodPaths({ stateDir: dir, logDir: dir, memoryDir: `${dir}/memory` });
  // Only root may give a file away.
  const root = Deno.uid() === 0;
  const uid = root ? 1000 : Deno.uid() ?? 0;
  const gid = root ? 10_000 : Deno.gid() ?? 0;
  const key = tokenKey({ audience: "", expirationSeconds: 3600 });
  const pool = new LinkPool(`${dir}/links`, {} as Runtime, new AbortController().signal);
  const written = async (
    name: string,
    securityContext?: PodSpec["securityContext"],
  ): Promise<[number, number | null, number | null]> => {
    const pod = testPod(name, {
      ...(securityContext ? { securityContext } : {}),
      containers: [container("main")],
      volumes: [{
        name: "t",
        projected: { sources: [{ serviceAccountToken: { path: "token" } }] },
      }],
    });
    await ensureVolumes(paths, {
      pod,
      facts: TEST_FACTS,
      objects: { configMaps: {}, secrets: {}, tokens: { [key]: "secret" } },
    }, { memory: pool, disk: pool });
    const place = { name: "t", kind: "projected", memory: true } as const;
    const file = await Deno.stat(`${paths.volume(pod.metadata.uid ?? "", place)}/token`);
    return [(file.mode ?? 0) & 0o777, file.uid, file.gid];
  };
  const [own, ownGroup] = [Deno.uid(), Deno.gid()];
  try {
    assert.deepEqual(await written("none"), [0o644, own, ownGroup]);
    assert.deepEqual(await written("user", { runAsUser: uid }), [0o600, uid, ownGroup]);
    assert.deepEqual(await written("group", { fsGroup: gid }), [0o640, own, gid]);
    assert.deepEqual(await written("both", { runAsUser: uid, fsGroup: gid }), [0o640, uid, gid]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
