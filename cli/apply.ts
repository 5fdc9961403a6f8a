import { LineCounter, parseAllDocuments } from "yaml";
import { apiVersionOf, conditionOf, type KubeObject, resourceOfKind } from "../core/api/mod.ts";
import { AppError, isAppError, ms, seconds, sleep, systemClock } from "../core/base/mod.ts";
import { pathOf } from "../core/kube/mod.ts";
import { optionsHelp, parseOptions } from "../core/parts/mod.ts";
import { type ApiClient, KUBECONFIG_OPTION, openClient } from "./client.ts";
import { say } from "./say.ts";

const OPTIONS = {
  ...KUBECONFIG_OPTION,
  file: { help: "YAML or JSON file", value: "FILE", fallback: "" },
  wait: { help: "seconds to wait until all of it is Ready", value: "SECONDS", fallback: 0 },
} as const;

/** `skerry apply`: what `up` brings its example with; for more use kubectl. */
export async function runApply(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) {
    return say(optionsHelp("deno task skerry apply --file FILE [options]", OPTIONS));
  }
  const options = parseOptions(OPTIONS, args);
  if (options.file === "") {
    throw new AppError("BadRequest", "say what to apply: --file FILE");
  }
  using client = await openClient(options.kubeconfig);
  // Before the first is made: a file is not to be left half done for a kind that is not known here.
  const objects = readObjects(options.file, await Deno.readTextFile(options.file));
  for (const object of objects) await applyOne(client, object);
  if (options.wait > 0) {
    for (const object of objects) await waitReady(client, object, options.wait);
  }
}

/**
 * The objects of a file.
 *
 * @throws {AppError} BadRequest naming the file, the line of a document and what is wrong with it
 */
export function readObjects(file: string, text: string): KubeObject[] {
  const lines = new LineCounter();
  return [...parseAllDocuments(text, { lineCounter: lines })].flatMap((document) => {
    const start = document.contents?.range?.[0] ?? document.range[0];
    const bad = (why: string, at = start): AppError =>
      new AppError("BadRequest", `${file}, line ${lines.linePos(at).line}: ${why}`);
    const [error] = document.errors;
    if (error) throw bad(`is no YAML: ${error.message.split("\n")[0]}`, error.pos[0]);
    const object = document.toJS() as Partial<KubeObject> | null;
    if (object === null) return [];
    const { apiVersion, kind, metadata } = object;
    if (typeof apiVersion !== "string" || typeof kind !== "string" || !metadata?.name) {
      throw bad("an object needs apiVersion, kind and metadata.name");
    }
    const resource = resourceOfKind(apiVersion, kind);
    if (resource && apiVersionOf(resource) === apiVersion) return [object as KubeObject];
    const known = resource ? `, but of ${apiVersionOf(resource)}` : "";
    throw bad(
      `${kind} ${metadata.name}: skerry apply knows no kind ${kind} of apiVersion ${apiVersion}` +
        `${known}: correct it, or where the server serves it say kubectl apply`,
    );
  });
}

function pathsOf(object: KubeObject): { collection: string; item: string } {
  const resource = resourceOfKind(object.apiVersion, object.kind);
  if (!resource) throw new TypeError(`Cannot apply ${object.kind}: readObjects() refuses it`);
  const namespace = resource.namespaced ? object.metadata.namespace ?? "default" : undefined;
  const at = namespace === undefined ? {} : { namespace };
  return {
    collection: pathOf(resource, at),
    item: pathOf(resource, { ...at, name: object.metadata.name }),
  };
}

async function applyOne(client: ApiClient, object: KubeObject): Promise<void> {
  const { collection, item } = pathsOf(object);
  const label = `${object.kind.toLowerCase()}/${object.metadata.name}`;
  try {
    await client.request("POST", collection, object);
    say(`${label} created`);
  } catch (error) {
    if (!isAppError(error, "AlreadyExists")) throw error;
    await client.request("PATCH", item, object, "application/merge-patch+json");
    say(`${label} configured`);
  }
}

async function waitReady(client: ApiClient, object: KubeObject, limit: number): Promise<void> {
  if (resourceOfKind(object.apiVersion, object.kind)?.hasStatus !== true) return;
  const end = systemClock.monotonic() + seconds(limit);
  for (;;) {
    const current = await client.request("GET", pathsOf(object).item) as KubeObject;
    const ready = conditionOf(current, "Ready");
    if (ready?.status === "True") return;
    if (systemClock.monotonic() > end) {
      throw new AppError(
        "Timeout",
        `${object.kind} ${object.metadata.name} is not Ready after ${limit} s: ${
          ready?.message ?? "it has no Ready condition yet"
        }`,
      );
    }
    await sleep(systemClock, ms(200));
  }
}
