import assert from "node:assert/strict";
import { type KubeObject, RESOURCES } from "../../core/api/mod.ts";
import {
  type LogFields,
  type Logger,
  ms,
  seconds,
  silentLogger,
  sleep,
  systemClock,
} from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { type ManifestFiles, ManifestFolder, type ManifestFolderOptions } from "./mod.ts";

/** A folder that is followed, what each look found, and what was logged. */
interface Bench {
  readonly folder: string;
  readonly looks: ManifestFiles[];
  readonly lines: { readonly level: string; readonly fields: LogFields }[];
  write(file: string, text: unknown): Promise<void>;
  /** Waits until the last look fulfils `check`. */
  until(what: string, check: (files: ManifestFiles) => boolean): Promise<void>;
  complaints(): string[];
}

async function withFolder(
  body: (bench: Bench) => Promise<void>,
  options: Partial<ManifestFolderOptions> & { readonly missing?: boolean } = {},
): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "skerry-manifests-" });
  const folder = `${root}/manifests`;
  if (!options.missing) await Deno.mkdir(folder);
  using store = openSqliteStore({ path: ":memory:", clock: systemClock });
  const looks: ManifestFiles[] = [];
  const lines: { level: string; fields: LogFields }[] = [];
  const record = (level: string) => (_message: string, fields: LogFields = {}): void =>
    void lines.push({ level, fields });
  const log: Logger = { ...silentLogger, debug: record("debug"), warn: record("warn") };
  const manifests = new ManifestFolder({
    ...{ folder, store, log, clock: systemClock, nodeName: "n1", rescan: ms(500) },
    handlers: [
      { resources: [RESOURCES.pods], apply: (_tx, files) => void looks.push(files) },
      { resources: [RESOURCES.configmaps, RESOURCES.secrets], apply: () => {} },
    ],
    ...options,
  });
  const stop = new AbortController();
  const ready = Promise.withResolvers<void>();
  const ended = manifests.run(stop.signal, ready.resolve);
  try {
    await ready.promise;
    await body({
      ...{ folder, looks, lines },
      // In one step: a look in the middle of writing finds, and complains of, an empty file.
      async write(file, text) {
        const whole = typeof text === "string" ? text : JSON.stringify(text);
        await Deno.writeTextFile(`${root}/whole`, whole);
        await Deno.rename(`${root}/whole`, `${folder}/${file}`);
      },
      async until(what, check) {
        const end = systemClock.monotonic() + seconds(30);
        while (!check(looks.at(-1) ?? new Map())) {
          if (systemClock.monotonic() > end) throw new Error(`not within 30 s: ${what}`);
          await sleep(systemClock, ms(10));
        }
      },
      complaints: () =>
        lines.filter(({ level }) => level === "warn").map(({ fields }) =>
          `${fields["file"]}: ${fields["problem"]}`
        ),
    });
  } finally {
    stop.abort();
    await ended;
    await Deno.remove(root, { recursive: true });
  }
}

const map = (name: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data: { a: "b" },
  ...more,
});

const named = (objects: readonly KubeObject[] | undefined): string[] | undefined =>
  objects?.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);

Deno.test("ManifestFolder hands over every document of YAML and JSON, with defaults and annotations", () =>
  withFolder(async ({ write, until, looks, complaints }) => {
    const secret = { kind: "Secret", metadata: { name: "s", namespace: "x" } };
    await write("b.json", {
      ...{ apiVersion: "v1", kind: "List" },
      items: [map("one"), { apiVersion: "v1", ...secret, stringData: { k: "v" } }],
    });
    await write(
      "a.yaml",
      `# two\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: two, uid: mine, finalizers: [a/b]}\n---\n---\n` +
        `kind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: c, image: "i:1"}]\nstatus: {phase: Running}\n`,
    );
    await write(".hidden.yaml", "kind: [");
    await write("notes.txt", "kind: [");
    await until("all", (files) => files.size === 2 && files.get("b.json")?.length === 2);
    const files = looks.at(-1);
    assert.deepEqual([...files?.keys() ?? []], ["a.yaml", "b.json"]);
    assert.deepEqual(named(files?.get("a.yaml")), ["ConfigMap default/two", "Pod default/p"]);
    assert.deepEqual(named(files?.get("b.json")), ["ConfigMap default/one", "Secret x/s"]);
    const [two, pod] = files?.get("a.yaml") ?? [];
    const { annotations, ...meta } = two?.metadata ?? {};
    assert.deepEqual(meta, { name: "two", namespace: "default" }, "what a store sets is left out");
    assert.equal(annotations?.["kubernetes.io/config.source"], "file");
    assert.equal(annotations?.["skerry.dev/manifest"], "a.yaml");
    assert.match(annotations?.["kubernetes.io/config.hash"] ?? "", /^[0-9a-f]{32}$/);
    assert.equal(pod?.apiVersion, "v1");
    assert.equal(pod?.["status"], undefined);
    assert.equal(files?.get("b.json")?.[1]?.["data"].k, btoa("v"));
    assert.deepEqual(complaints(), []);
  }));

Deno.test("ManifestFolder gives undefined for what cannot be used, and says why once", () =>
  withFolder(async ({ folder, write, until, looks, complaints }) => {
    await write("a.json", "{");
    await write("b.yaml", "kind: ConfigMap\nmetadata: {name: [}");
    await write("c.yaml", map("Bad_Name"));
    await write("d.yaml", "\n");
    await write("e.yaml", `${JSON.stringify(map("fine"))}\n---\n${JSON.stringify("text")}`);
    await write("f.json", map("big", { data: { a: "x".repeat(2 ** 21) } }));
    await write("g.yaml", { kind: "Pod", metadata: { name: "p" }, spec: { containers: [{}] } });
    await Deno.symlink("nowhere", `${folder}/h.yaml`);
    await write("z.yaml", map("last"));
    await until("all", (files) => files.has("z.yaml"));
    const unusable = [...looks.at(-1) ?? []].filter(([, objects]) => !objects);
    assert.deepEqual(unusable.map(([file]) => file), [
      ...["a.json", "b.yaml", "c.yaml", "d.yaml", "e.yaml", "f.json", "g.yaml", "h.yaml"],
    ]);
    for (
      const pattern of [
        /^a\.json: a\.json is no JSON/,
        /^b\.yaml: b\.yaml: .*line 2/,
        /^c\.yaml: .*ConfigMap Bad_Name: metadata\.name: Invalid value/,
        /^d\.yaml: d\.yaml is empty/,
        /^e\.yaml: .*no object/,
        /^f\.json: .*larger than/,
        /^g\.yaml: .*Pod p: spec\.containers\[0\]\.name: Required/,
        /^h\.yaml: .*No such file/,
      ]
    ) assert.equal(complaints().filter((one) => pattern.test(one)).length, 1, String(pattern));
    const before = complaints().length;
    const many = looks.length;
    await until("two more looks", () => looks.length > many + 1);
    assert.equal(complaints().length, before, "said once");
    await write("a.json", map("a"));
    await until("mended", (files) => files.get("a.json") !== undefined);
    await write("a.json", "{");
    await until("broken", (files) => files.has("a.json") && files.get("a.json") === undefined);
    assert.equal(complaints().filter((one) => one.startsWith("a.json")).length, 2, "said anew");
  }));

Deno.test("ManifestFolder complains of kinds that nobody takes and of names that stand twice", () =>
  withFolder(async ({ write, until, looks, complaints }) => {
    const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" } };
    await write("a.yaml", [deployment, map("m")].map((one) => JSON.stringify(one)).join("\n---\n"));
    await write("b.yaml", map("m", { data: { a: "other" } }));
    await until("both", (files) => files.has("a.yaml") && files.has("b.yaml"));
    const many = looks.length;
    await until("two more looks", () => looks.length > many + 1);
    assert.deepEqual(named(looks.at(-1)?.get("a.yaml")), ["ConfigMap default/m"]);
    assert.deepEqual(looks.at(-1)?.get("b.yaml"), []);
    assert.deepEqual(complaints(), [
      "a.yaml: apps/v1 Deployment d: this node takes no such kind from manifests",
      "b.yaml: configmaps default/m stands in a.yaml already, which counts",
    ]);
  }));

Deno.test("ManifestFolder waits for a folder that is not there and follows one that is replaced", () =>
  withFolder(async ({ folder, write, until, looks, lines, complaints }) => {
    assert.equal(looks.length, 0, "no folder is no evidence");
    await Deno.mkdir(`${folder}-new`);
    await Deno.writeTextFile(`${folder}-new/a.json`, JSON.stringify(map("a")));
    await Deno.rename(`${folder}-new`, folder);
    await until("it is there", (files) => files.has("a.json"));
    assert.deepEqual(lines.map(({ level }) => level), ["debug"], "said once, and no warning");
    await Deno.mkdir(`${folder}-new`);
    await Deno.rename(folder, `${folder}-old`);
    await Deno.rename(`${folder}-new`, folder);
    await until("the new one is read", (files) => files.size === 0);
    await write("b.json", map("b"));
    await until("and followed", (files) => files.has("b.json"));
    await Deno.rename(folder, `${folder}-gone`);
    await Deno.writeTextFile(folder, "a file");
    await until("the file is told of", () => complaints().length > 0);
    const count = looks.length;
    await Deno.remove(folder);
    await Deno.rename(`${folder}-gone`, folder);
    await until("it is back", () => looks.length > count);
    assert.deepEqual([...looks.at(-1)?.keys() ?? []], ["b.json"]);
  }, { missing: true }));

Deno.test("ManifestFolder refuses more manifests than its caps, and ends nothing for it", () =>
  withFolder(async ({ folder, looks, until, complaints }) => {
    await Deno.mkdir(`${folder}-new`);
    for (let index = 0; index <= 500; index++) {
      await Deno.writeTextFile(`${folder}-new/${index}.json`, "{}");
    }
    await Deno.rename(`${folder}-new`, folder);
    await until("it is told", () => complaints().length > 0);
    assert.match(complaints()[0] ?? "", /more than 500 manifests/);
    assert.equal(looks.length, 0);
    for (let index = 0; index <= 500; index++) {
      const text = index < 17 ? JSON.stringify(map(`m${index}`)).padEnd(2 ** 21) : undefined;
      if (text) await Deno.writeTextFile(`${folder}/${index}.json`, text);
      else await Deno.remove(`${folder}/${index}.json`);
    }
    await until("the rest is read", (files) => files.size === 17);
    await until("all but one fit", (files) => [...files.values()].filter(Boolean).length === 16);
    // A look in the middle of the removals may complain of one that has just gone, too.
    const told = complaints().filter((text) => /does not fit: all manifests together/.test(text));
    assert.ok(told.length > 0, complaints().join("\n"));
  }, { missing: true }));

Deno.test("ManifestFolder loads no YAML reader for manifests in JSON", async () => {
  let loads = 0;
  const loadYaml = (): Promise<typeof import("yaml")> => {
    loads++;
    return import("yaml");
  };
  await withFolder(async ({ write, until }) => {
    await write("a.json", map("a"));
    await write("b.yaml", `${JSON.stringify(map("b"))}\n---\n${JSON.stringify(map("c"))}\n`);
    await until("JSON", (files) => files.get("a.json") !== undefined && files.has("b.yaml"));
    assert.equal(loads, 0);
    await write("c.yml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\n");
    await until("YAML", (files) => files.get("c.yml")?.length === 1);
    assert.ok(loads > 0);
  }, { loadYaml });
});
