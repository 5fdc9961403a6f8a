import type { KubeObject, WasmFunction } from "../core/api/mod.ts";
import { buildHello } from "../wasm-examples/hello/build.ts";
import type { Stand } from "./stand_lib.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const FUNCTIONS = "/apis/skerry.dev/v1alpha1/namespaces/default/wasmfunctions";

/** Makes functions `hello-0` ... of `wasm-examples/hello` and resolves when all are Ready on the node. */
export async function runHellos(stand: Stand, count: number): Promise<string[]> {
  await buildHello();
  const file = new URL("../wasm-examples/hello/build/hello.yaml", import.meta.url);
  // The build writes JSON documents, which are YAML.
  const [map, fn] = (await Deno.readTextFile(file)).split("\n---\n").map((text) =>
    JSON.parse(text) as KubeObject
  );
  if (!map || !fn) throw new Error(`${file.pathname} does not hold two objects`);
  await stand.api.request("POST", MAPS, map);
  const names = Array.from({ length: count }, (_, i) => `hello-${i}`);
  const missing = new Set(names);
  const seen = stand.api.until(FUNCTIONS, (object) => {
    const { metadata, status } = object as WasmFunction;
    if (status?.nodes?.some((node) => node.ready)) missing.delete(metadata.name);
    return missing.size === 0;
  });
  for (const name of names) {
    await stand.api.request("POST", FUNCTIONS, { ...fn, metadata: { ...fn.metadata, name } });
  }
  await seen;
  return names;
}

/** Calls each function `times` times, one call after the other. @throws {Error} for a bad answer */
export async function callHellos(
  stand: Stand,
  names: readonly string[],
  times: number,
): Promise<void> {
  for (let i = 0; i < times; i++) {
    for (const name of names) {
      const response = await fetch(`${stand.functions}/default/${name}`);
      const text = await response.text();
      if (!response.ok) throw new Error(`${name}: ${response.status} ${text}`);
    }
  }
}
