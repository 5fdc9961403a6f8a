/** The parts of the product that may not know each other; `core` is what they share. */
export const SIDES: readonly string[] = ["agent", "cloud", "runner", "cli", "mesh"];

/** Top-level folders that are one room each, without rooms inside. */
const WHOLE_ROOMS: readonly string[] = ["runner", "cli"];

/** Where a file stands, as far as the room rules care. */
export interface Place {
  /** Path from the repository's root with `/`, e.g. `core/store/local.ts`. */
  readonly path: string;
  /** The first folder (`core`, `agent`, `tests`, ...), or `""` for a file at the root. */
  readonly top: string;
  /** `core/store`, `agent/pods`, `runner`, ...; `""` for a file that is in no room. */
  readonly room: string;
  /** Whether the file is a test, a bench or a tool: code that never ships. */
  readonly support: boolean;
  /** Whether the file is a test or lives under `tests/`. */
  readonly test: boolean;
}

const SUPPORT_TOPS = ["tests", "bench", "tools", "packaging", "wasm-examples"];

/** Says where `path` (relative to the repository's root, with `/`) stands. */
export function placeOf(path: string): Place {
  const parts = path.split("/");
  const top = parts.length > 1 ? parts[0] ?? "" : "";
  const test = top === "tests" || /(^|[_.])test\.tsx?$/.test(parts.at(-1) ?? "");
  const support = test || SUPPORT_TOPS.includes(top);
  return { path, top, room: roomOf(parts), support, test };
}

function roomOf(parts: readonly string[]): string {
  const [top, second] = parts;
  if (top === undefined || parts.length < 2) return "";
  if (WHOLE_ROOMS.includes(top)) return top;
  const hasRooms = top === "core" || SIDES.includes(top);
  return hasRooms && parts.length > 2 ? `${top}/${second}` : "";
}

/**
 * The path that the linter calls `filename`, seen from `root`.
 *
 * The linter gives absolute paths or `file:` URLs; the tests of the rules give relative ones.
 */
export function relativePath(filename: string, root: string): string {
  const plain = filename.startsWith("file:")
    ? decodeURIComponent(new URL(filename).pathname)
    : filename;
  const folder = root.endsWith("/") ? root : `${root}/`;
  const inside = plain.startsWith(folder) ? plain.slice(folder.length) : plain;
  return normalize(inside);
}

/** The path that `specifier` names when `from` imports it; `undefined` for a package. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith("./") && !specifier.startsWith("../")) return undefined;
  const folder = from.includes("/") ? from.slice(0, from.lastIndexOf("/")) : "";
  return normalize(`${folder}/${specifier}`);
}

function normalize(path: string): string {
  const out: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && out.length > 0 && out.at(-1) !== "..") out.pop();
    else out.push(part);
  }
  return (path.startsWith("/") ? "/" : "") + out.join("/");
}
