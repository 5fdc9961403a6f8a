/**
 * Writes `docs/compat.md`: what a node does with every field of a pod, out of the table that decides
 * it. A test fails when they differ.
 *
 *     deno run -P=tools tools/compat.ts
 */
import {
  type NodePolicy,
  POD_FIELDS,
  refusals,
  refusalText,
  type Rule,
} from "../agent/pods/mod.ts";
import { schemaTypes } from "../core/api/schema/mod.ts";
import { BESIDE, GROUPS, INTRO, NOTES, SAMPLES } from "./compat_text.ts";

const FILE = new URL("../docs/compat.md", import.meta.url);

/** A node that allows and can as little as possible. */
const STRICT: NodePolicy = {
  nodeName: "gateway",
  runtime: "containerd",
  hostIPs: [],
  allowPrivileged: false,
  recursiveReadOnly: false,
  strictGroups: false,
  memoryVolumes: false,
};

/** The page. @throws {Error} for a field without a group, or a rule without an example */
export function compatPage(): string {
  const example = refusalText(refusals({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web" },
    spec: { containers: [], hostUsers: false },
  }, STRICT));
  const left = new Set(Object.keys(POD_FIELDS));
  const parts = GROUPS.map(({ title, text, fields }) => {
    const mine = [...left].filter((path) => fields.test(path) && !isRepeat(path));
    for (const path of mine) left.delete(path);
    return [
      `## ${title}`,
      ...(text ? [text] : []),
      ["| field | what becomes of it |", "| --- | --- |", ...mine.map(row)].join("\n"),
    ].join("\n\n");
  });
  const lost = [...left].filter((path) => !isRepeat(path));
  if (lost.length > 0) throw new Error(`no group has ${lost.join(", ")}`);
  return [INTRO.replace("{EXAMPLE}", example), ...parts, unknownPart()].join("\n\n") + "\n";
}

/** Fields of init and debug containers that are as those of the others are told once. */
function isRepeat(path: string): boolean {
  const twin = path.replace(/^(initContainers|ephemeralContainers)\[\]/, "containers[]");
  if (twin === path) return false;
  const [own, other] = [POD_FIELDS[path], POD_FIELDS[twin]];
  return own === other ||
    (typeof own !== "function" && JSON.stringify(own) === JSON.stringify(other));
}

function row(path: string): string {
  const cell = [outcome(path, POD_FIELDS[path] ?? true), NOTES[path] ?? ""].filter(Boolean);
  return `| \`${path.replaceAll("|", "\\|")}\` | ${cell.join("; ")} |`;
}

function outcome(path: string, rule: Rule): string {
  if (rule === true) return "honoured";
  if (typeof rule === "string") return `**refused**: \`${rule}\``;
  const samples = SAMPLES.find(([paths]) => paths.test(path))?.[1] ?? [];
  const told = samples.map(({ shown, value }) => {
    const why = rule(value, STRICT);
    if (why === undefined) throw new Error(`${path} does not refuse ${JSON.stringify(value)}`);
    return `**refused** ${shown}: \`${why}\``;
  });
  if (told.length === 0) throw new Error(`${path} has no example of what it refuses`);
  return ["honoured", ...told].join("; ");
}

/** What Kubernetes has and the table has not. */
function unknownPart(): string {
  const missing = unknownFields();
  return [
    "## Everything else",
    "A field that is in none of the tables is refused as well: `the field is not known`. Of " +
    "Kubernetes 1.34 that " +
    (missing.length === 0
      ? "is none."
      : `are: ${missing.map((path) => `\`${path}\``).join(", ")}.`),
    BESIDE,
  ].join("\n\n");
}

/** Paths of Kubernetes' pod spec that the table does not cover. */
export function unknownFields(): string[] {
  const found: string[] = [];
  visit("PodSpec", "", found, 0);
  return found.sort();
}

function visit(typeName: string, path: string, found: string[], depth: number): void {
  const type = schemaTypes().get(typeName);
  if (!type || depth > 8) return;
  for (const { name, type: ref, inline } of type.fields) {
    const list = ref.form === "list";
    const inner = ref.form === "named" ? ref : ref.of;
    const next = inline ? path : `${path === "" ? "" : `${path}.`}${name}`;
    const named = inner.form === "named" ? inner.name : "";
    if (!inline && isCovered(next)) continue;
    const below = list ? `${next}[]` : next;
    if (Object.keys(POD_FIELDS).some((one) => one.startsWith(`${below}.`)) || inline) {
      visit(named, inline ? path : below, found, depth + 1);
    } else found.push(next);
  }
}

function isCovered(path: string): boolean {
  return Object.hasOwn(POD_FIELDS, path);
}

if (import.meta.main) await Deno.writeTextFile(FILE, compatPage());
