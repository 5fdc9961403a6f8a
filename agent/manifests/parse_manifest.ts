import { AppError } from "../../core/base/mod.ts";

/** Loads the YAML reader. Only a manifest that needs it pays for it. */
export type LoadYaml = () => Promise<typeof import("yaml")>;

/** Kubernetes' own separator of documents. */
const SEPARATOR = /^---\s*$/m;

/**
 * The values of all documents of a manifest: YAML, JSON, or JSON documents between lines of `---`.
 * Empty documents are left out; the items of a `v1` `List` stand for themselves.
 *
 * @throws {AppError} Invalid when it is neither; the message says where
 */
export async function parseManifest(
  text: string,
  file: string,
  loadYaml: LoadYaml = () => import("yaml"),
): Promise<unknown[]> {
  const values = parseJson(text) ?? (file.endsWith(".json") ? failJson(text, file) : undefined) ??
    parseYaml(text, file, await loadYaml());
  return values.filter((value) => value !== null && value !== undefined).flatMap(itemsOf);
}

/** All documents, when each is JSON. */
function parseJson(text: string): unknown[] | undefined {
  const parts = text.split(SEPARATOR).filter((part) => part.trim() !== "");
  // YAML does not begin like this, or seldom: nothing large is read twice.
  if (!parts.every((part) => /^\s*[{[]/.test(part))) return undefined;
  try {
    return parts.map((part) => JSON.parse(part) as unknown);
  } catch {
    return undefined;
  }
}

function failJson(text: string, file: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch (cause) {
    throw new AppError("Invalid", `${file} is no JSON`, { cause });
  }
}

function parseYaml(text: string, file: string, yaml: typeof import("yaml")): unknown[] {
  return yaml.parseAllDocuments(text, { logLevel: "error" }).map((document) => {
    const [error] = document.errors;
    if (error) throw new AppError("Invalid", `${file}: ${error.message}`);
    return document.toJS() as unknown;
  });
}

function itemsOf(value: unknown): unknown[] {
  const { kind, apiVersion, items } = value as Record<string, unknown>;
  return kind === "List" && apiVersion === "v1" && Array.isArray(items) ? items : [value];
}
