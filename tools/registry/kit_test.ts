import assert from "node:assert/strict";
import { inCi } from "../test/needs.ts";
import { registryProblem, startRegistry, startSlowRegistry } from "./mod.ts";
import { writeTar } from "../images/mod.ts";

const problem = inCi((name) => Deno.env.get(name)) ? undefined : await registryProblem();
const test = {
  ignore: problem !== undefined,
  name: "startRegistry() keeps what is pushed, for who may see it" +
    (problem === undefined ? "" : ` (skipped: ${problem})`),
};

Deno.test({
  ...test,
  async fn() {
    await using registry = await startRegistry({ auth: true });
    const layer = writeTar([{ kind: "file", path: "a", mode: 0o644, data: new Uint8Array(1000) }]);
    const { ref, digest } = await registry.push("team/app:1", { layers: [layer], cmd: ["/a"] });
    assert.equal(ref, `${registry.host}/team/app:1`);
    await registry.stop();
    await registry.start();
    await using slow = startSlowRegistry(registry.host);
    const get = (host: string, login?: string): Promise<Response> =>
      fetch(`http://${host}/v2/team/app/manifests/1`, {
        headers: {
          accept: "application/vnd.oci.image.manifest.v1+json",
          ...(login ? { authorization: `Basic ${btoa(login)}` } : {}),
        },
      });
    for (const host of [registry.host, slow.host]) {
      const refused = await get(host);
      await refused.body?.cancel();
      assert.equal(refused.status, 401);
      const response = await get(host, "gateway:open-sesame");
      assert.equal(response.headers.get("docker-content-digest"), digest);
      assert.equal((await response.json()).layers[0].size, layer.length);
    }
    assert.deepEqual(slow.asked, Array(2).fill("GET /v2/team/app/manifests/1"));
  },
});
