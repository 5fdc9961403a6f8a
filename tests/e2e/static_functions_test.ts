import assert from "node:assert/strict";
import { FunctionManager, StaticFunctions } from "../../agent/functions/mod.ts";
import { ManifestFolder } from "../../agent/manifests/mod.ts";
import { RESOURCES, type WasmFunction } from "../../core/api/mod.ts";
import { silentLogger, systemClock, systemRandom } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { answerAt, guest, OK_SIZE } from "../../runner/guests.ts";
import { testWasm, withRunner } from "../../runner/harness.ts";
import { lacks } from "../../tools/test/needs.ts";
import { buildHello } from "../../wasm-examples/hello/build.ts";
import { Site } from "./gateway_lib.ts";
import { Fatal, ROOT, until } from "./gateway_process_lib.ts";

const missing = lacks("kubectl", "libwasmtime");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;

/** What answers at an address: status and text. */
async function answer(url: string): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
}

Deno.test({
  name: `an agent without a hub serves the functions of its manifests folder${skipped}`,
  ignore: missing !== undefined,
  fn: () =>
    Site.run(async (site) => {
      await buildHello();
      const hello = await Deno.readTextFile(`${ROOT}/wasm-examples/hello/build/hello.yaml`);
      const url = `http://127.0.0.1:${site.port("alone-gateway")}/default/hello`;
      const folder = `${site.folder}/alone/manifests`;
      await site.runner("alone");
      const agent = await site.agent("alone");
      assert.equal((await answer(url)).status, 404);

      // The folder comes after the agent.
      await Deno.mkdir(folder);
      await Deno.writeTextFile(`${folder}/hello.yaml`, hello);
      await until("hello answers", async () => (await answer(url)).text === "hello from skerry\n");
      const [fn] = (await (await site.client(agent.kubeconfig)).request(
        "GET",
        "/apis/skerry.dev/v1alpha1/namespaces/default/wasmfunctions",
      )).items as WasmFunction[];
      assert.equal(fn?.metadata.annotations?.["kubernetes.io/config.source"], "file");

      // Another module of the same size in the ConfigMap: a new revision answers.
      const [map, rest] = hello.split("\n---\n").map((part) => JSON.parse(part));
      const module = Uint8Array.fromBase64(map.binaryData["module.wasm"]);
      const at = new TextDecoder("latin1").decode(module).indexOf("hello from skerry");
      assert.ok(at > 0);
      module.set(new TextEncoder().encode("hallo"), at);
      map.binaryData["module.wasm"] = module.toBase64();
      const write = (...objects: unknown[]): Promise<void> =>
        Deno.writeTextFile(
          `${folder}/hello.yaml`,
          objects.map((one) => JSON.stringify(one)).join("\n---\n"),
        );
      await write(map, rest);
      await until(
        "the edit answers",
        async () => (await answer(url)).text === "hallo from skerry\n",
      );

      // A restart, without the network and with the manifest as it was.
      await agent.process.kill();
      assert.equal((await answer(url)).text, "hallo from skerry\n");
      const again = await site.agent("alone");
      const ready = async (): Promise<boolean> => {
        const path = "/apis/skerry.dev/v1alpha1/namespaces/default/wasmfunctions/hello";
        const fn = await (await site.client(again.kubeconfig)).request("GET", path) as WasmFunction;
        return fn.status?.nodes?.[0]?.ready === true;
      };
      await until("the function is ready", ready);

      // A broken file ends nothing, the removed one does.
      await Deno.writeTextFile(`${folder}/hello.yaml`, "{ kind");
      await again.process.prints(/a manifest cannot be used/);
      assert.equal((await answer(url)).text, "hallo from skerry\n");
      await Deno.remove(`${folder}/hello.yaml`);
      await until("it is gone", async () => (await answer(url)).status === 404);
      assert.equal(again.process.code, undefined);
    }),
});

Deno.test({
  name:
    `a static function is updated without a gap, ends without a hub, and is not reported${skipped}`,
  ignore: missing !== undefined,
  fn: () =>
    withRunner(async (runner) => {
      const folder = await Deno.makeTempDir();
      using store = openSqliteStore({ path: `${folder}/agent.db`, clock: systemClock });
      const reports: string[] = [];
      const stop = new AbortController();
      const base = { store, clock: systemClock, random: systemRandom, log: silentLogger };
      await Deno.mkdir(`${folder}/manifests`);
      const manager = new FunctionManager({
        ...{ ...base, node: "n1", client: runner.client },
        ...{ files: `${folder}/files`, cache: `${folder}/fetched` },
        // The hub has never been reached: what the manifests say counts all the same.
        synced: () => false,
        report: (_tx, fn) => void reports.push(fn.metadata.name),
      });
      const manifests = new ManifestFolder({
        ...{ ...base, folder: `${folder}/manifests`, nodeName: "n1" },
        handlers: [new StaticFunctions({ nodeName: "n1", clock: systemClock })],
      });
      const running = [manager, manifests].map((one) => one.run(stop.signal, () => {}));
      const url = `${runner.base}/default/f`;
      const OK = guest(answerAt(16, OK_SIZE));
      const write = (wat: string, spec: Record<string, unknown> = {}): Promise<void> => {
        const metadata = { name: "f", namespace: "default" };
        const map = { apiVersion: "v1", kind: "ConfigMap", metadata };
        const source = { configMapRef: { name: "f", key: "wasm" } };
        const fn = { apiVersion: "skerry.dev/v1alpha1", kind: "WasmFunction", metadata };
        const objects = [
          { ...map, binaryData: { wasm: testWasm(wat).toBase64() } },
          { ...fn, spec: { source, ...spec } },
        ];
        return Deno.writeTextFile(
          `${folder}/manifests/f.json`,
          JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }),
        );
      };
      const own = (): WasmFunction["status"] =>
        (store.transact((tx) => tx.list(RESOURCES.wasmfunctions))[0] as WasmFunction | undefined)
          ?.status;
      try {
        await write(OK);
        await until("it answers", async () => (await answer(url)).text === "ok");
        const before = (await runner.client.status()).functions[0];
        // A module that is no good: the old revision goes on, and the status says why.
        await write(`(module (memory (export "memory") 1))`, { limits: { timeout: "2s" } });
        await until("it is refused", () => own()?.nodes?.[0]?.reason === "InvalidModule");
        assert.equal((await answer(url)).text, "ok");
        // One that is: every answer on the way is the old one or the new one.
        await write(OK.replace('ok"', 'no"'), { limits: { timeout: "2s" } });
        await until("the new one answers", async () => {
          const { status, text } = await answer(url);
          if (text !== "ok" && text !== "no") throw new Fatal(`a gap: ${status} ${text}`);
          return text === "no";
        });
        const after = (await runner.client.status()).functions;
        assert.equal(after.length, 1);
        assert.equal(after[0]?.uid, before?.uid);
        assert.notEqual(after[0]?.servingRevision, before?.servingRevision);
        store.transact((tx) => manager.reportAgain(tx));
        // Its manifest goes while the runner is away: it ends when the runner is back.
        await runner.restart(async () => {
          await Deno.remove(`${folder}/manifests/f.json`);
          await until(
            "its object is gone",
            () => store.transact((tx) => tx.list(RESOURCES.wasmfunctions)).length === 0,
          );
        });
        const now = `${runner.base}/default/f`;
        await until(
          "it is gone",
          async () => (await runner.client.status()).functions.length === 0,
        );
        assert.equal((await answer(now)).status, 404);
        assert.deepEqual(reports, [], "the hub does not know it");
      } finally {
        stop.abort(new Error("the test is over"));
        await Promise.all(running);
        await Deno.remove(folder, { recursive: true });
      }
    }),
});
