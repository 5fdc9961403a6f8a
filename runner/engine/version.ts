import { AppError } from "../../core/base/mod.ts";

/** What a serialised module tells about the engine that made it. */
export interface EngineStamp {
  /** Major version of wasmtime. */
  readonly major: number;
  /** The bytes that wasmtime itself compares before it loads a module: version, target, flags. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Reads the engine's stamp from a serialised module. The C API has no version function, but every
 * serialised module is an ELF file whose section `.wasmtime.engine` begins with a format byte and
 * the length-prefixed version, and holds all settings that decide whether a module may be loaded.
 *
 * @throws {AppError} Unsupported when the section is absent or cannot be read
 */
export function readEngineStamp(elf: Uint8Array): EngineStamp {
  const section = findSection(elf, ".wasmtime.engine");
  const text = section && readVersionText(section);
  const major = text === undefined ? NaN : Number.parseInt(text, 10);
  if (!section || Number.isNaN(major)) {
    throw new AppError(
      "Unsupported",
      "cannot tell the version of libwasmtime: use one of major 48 to 50",
    );
  }
  return { major, bytes: section };
}

function readVersionText(section: Uint8Array): string | undefined {
  // Format byte, strategy byte (absent in some majors), length, text: take the first length-prefixed digits.
  for (const at of [1, 2]) {
    const length = section[at] ?? 0;
    const text = new TextDecoder().decode(section.subarray(at + 1, at + 1 + length));
    if (/^\d+(\.\d+)*/.test(text)) return text;
  }
  return undefined;
}

function findSection(elf: Uint8Array, name: string): Uint8Array<ArrayBuffer> | undefined {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  if (elf.length < 64 || view.getUint32(0, false) !== 0x7f454c46) return undefined;
  const table = Number(view.getBigUint64(0x28, true));
  const size = view.getUint16(0x3a, true);
  const count = view.getUint16(0x3c, true);
  const header = (index: number): number => table + index * size;
  const names = Number(view.getBigUint64(header(view.getUint16(0x3e, true)) + 0x18, true));
  for (let i = 0; i < count; i++) {
    const at = names + view.getUint32(header(i), true);
    const end = elf.indexOf(0, at);
    if (new TextDecoder().decode(elf.subarray(at, end)) !== name) continue;
    const offset = Number(view.getBigUint64(header(i) + 0x18, true));
    const length = Number(view.getBigUint64(header(i) + 0x20, true));
    return elf.slice(offset, offset + length);
  }
  return undefined;
}

/**
 * The library's full version, e.g. `50.0.0`, as its own file spells it: the most frequent text of
 * the given major in it. Falls back to the major alone.
 */
export function scanLibraryVersion(library: Uint8Array, major: number): string {
  const prefix = `${major}.`;
  const counts = new Map<string, number>();
  const first = prefix.charCodeAt(0);
  for (let at = library.indexOf(first); at >= 0; at = library.indexOf(first, at + 1)) {
    if (library[at + prefix.length - 1] !== 0x2e) continue;
    const text = String.fromCharCode(...library.subarray(at, at + 12));
    const found = text.match(/^\d+\.\d+\.\d+/)?.[0];
    if (found?.startsWith(prefix)) counts.set(found, (counts.get(found) ?? 0) + 1);
  }
  const best = [...counts].sort((a, b) => b[1] - a[1])[0];
  return best?.[0] ?? String(major);
}
