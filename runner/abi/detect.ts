import type { Abi, ModuleDescription, ModuleItem } from "../engine/mod.ts";

/** What a host offers: signature by `module.name`. */
export type HostOffer = ReadonlyMap<string, string>;

/** Whether a module can be called by an ABI; otherwise what is missing and how to mend it. */
export type AbiVerdict = { readonly fits: true } | {
  readonly fits: false;
  readonly problem: string;
};

/** Exports that each ABI needs, with the signature of functions. */
const EXPORTS: Readonly<Record<Abi, Readonly<Record<string, string | undefined>>>> = {
  "skerry-core-v1": { memory: undefined, alloc: "(i32)->i32", handle: "(i32,i32)->i64" },
  "wasi-command": { memory: undefined, _start: "()->" },
};

/** Judges a module by its imports and exports. */
export function judgeAbi(
  abi: Abi,
  description: ModuleDescription,
  offer: HostOffer,
): AbiVerdict {
  const problem = missingExport(abi, description.exports) ??
    unknownImport(abi, description.imports, offer);
  return problem === undefined ? { fits: true } : { fits: false, problem };
}

function missingExport(abi: Abi, exports: readonly ModuleItem[]): string | undefined {
  for (const [name, signature] of Object.entries(EXPORTS[abi])) {
    const found = exports.find((item) => item.name === name);
    const wanted = signature === undefined
      ? `a memory "${name}"`
      : `a function ${name}${signature}`;
    if (!found) return `exports no "${name}"; ${abi} needs ${wanted}`;
    if (found.kind !== (signature === undefined ? "memory" : "func")) {
      return `exports "${name}" as a ${found.kind}; ${abi} needs ${wanted}`;
    }
    if (found.signature !== signature) {
      return `exports ${name}${found.signature}; ${abi} needs ${wanted}`;
    }
  }
  return undefined;
}

function unknownImport(
  abi: Abi,
  imports: readonly ModuleItem[],
  offer: HostOffer,
): string | undefined {
  for (const item of imports) {
    const name = `${item.module}.${item.name}`;
    const offered = offer.get(name);
    if (item.kind !== "func" || offered === undefined) {
      const list = [...offer.keys()];
      const all = list.length > 8 ? `wasi_snapshot_preview1` : list.join(", ");
      return `imports ${item.kind} "${name}", which ${abi} does not offer (it offers ${all}): ` +
        `build the module without it`;
    }
    if (item.signature !== offered) {
      return `imports ${name}${item.signature}; it is ${name}${offered}`;
    }
  }
  return undefined;
}

/** Says what bytes are that are no core module; `undefined` when they may be one. */
export function notAModule(wasm: Uint8Array): string | undefined {
  const magic = wasm[0] === 0 && wasm[1] === 0x61 && wasm[2] === 0x73 && wasm[3] === 0x6d;
  if (!magic) return "is no WebAssembly: it does not begin with \\0asm; put the built .wasm file";
  if (wasm[4] === 1 && wasm[5] === 0 && wasm[6] === 0 && wasm[7] === 0) return undefined;
  if (wasm[6] === 1) {
    return "is a component, which is not served yet: build a core module (skerry-core-v1) or a " +
      "WASI preview 1 command";
  }
  return "is of an unknown WebAssembly version: build it for version 1";
}
