import { AppError, type Clock, type Ms } from "../../core/base/mod.ts";
import type { Abi, CompileReport, EngineSettings } from "../engine/mod.ts";
import { compileInChild } from "./child.ts";
import {
  ensurePrivateFolder,
  fileExists,
  readTextIfThere,
  removeIfThere,
  sha256Hex,
  writeFileAtomic,
} from "./files.ts";

/** A module that was compiled for this engine and tried. */
export interface CompiledModule extends CompileReport {
  /** SHA-256 of the module, hex. */
  readonly digest: string;
}

/** Options of {@linkcode ModuleCache}. */
export interface ModuleCacheOptions {
  /** The runner's state folder. */
  readonly folder: string;
  readonly library: string;
  readonly major: number;
  readonly settings: EngineSettings;
  /** Compiled files of another engine are never looked at. */
  readonly engineHash: string;
  readonly clock: Clock;
  readonly compileTimeout: Ms;
}

/** A module that nothing refers to is kept this long, because its function may be on its way. */
const GRACE = 10 * 60_000;

/**
 * The modules on disk: as they came, and compiled. Compiled files are native code: they come from
 * this process's own compiler and from nowhere else, in a folder that only this user may enter, and
 * each is checked by its hash before it is mapped.
 */
export class ModuleCache {
  readonly #options: ModuleCacheOptions;
  readonly #running = new Map<string, Promise<CompiledModule>>();
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(options: ModuleCacheOptions) {
    this.#options = options;
  }

  /** Opens the cache below `options.folder` and drops what other engines compiled. */
  static async open(options: ModuleCacheOptions): Promise<ModuleCache> {
    const cache = new ModuleCache(options);
    await ensurePrivateFolder(options.folder);
    await ensurePrivateFolder(`${options.folder}/modules`);
    await ensurePrivateFolder(`${options.folder}/compiled`);
    for await (const { name } of Deno.readDir(`${options.folder}/compiled`)) {
      if (name === cache.#engineKey) continue;
      await Deno.remove(`${options.folder}/compiled/${name}`, { recursive: true });
    }
    await ensurePrivateFolder(cache.#compiledFolder);
    await cache.#dropTemporary();
    return cache;
  }

  get #engineKey(): string {
    return this.#options.engineHash.slice(0, 32);
  }

  get #compiledFolder(): string {
    return `${this.#options.folder}/compiled/${this.#engineKey}`;
  }

  #modulePath(digest: string): string {
    return `${this.#options.folder}/modules/${digest}.wasm`;
  }

  /** Where the compiled form of a module lies. */
  compiledPath(digest: string): string {
    return `${this.#compiledFolder}/${digest}.cwasm`;
  }

  /** Whether the module is here, compiled or not. */
  async has(digest: string): Promise<boolean> {
    return await fileExists(this.#modulePath(digest));
  }

  /** Keeps a module. @throws {AppError} Invalid when `digest` is not its SHA-256 */
  async put(digest: string, wasm: Uint8Array<ArrayBuffer>): Promise<void> {
    const found = await sha256Hex(wasm);
    if (found !== digest) {
      throw new AppError(
        "Invalid",
        `the module's SHA-256 is ${found}, not ${digest}: send it again`,
      );
    }
    if (!await this.has(digest)) await writeFileAtomic(this.#modulePath(digest), wasm);
  }

  /** The report of a compiled module; `undefined` when it is not compiled or was changed on disk. */
  async find(digest: string): Promise<CompiledModule | undefined> {
    const text = await readTextIfThere(`${this.#compiledFolder}/${digest}.json`);
    if (text === undefined || !await fileExists(this.compiledPath(digest))) return undefined;
    try {
      return JSON.parse(text) as CompiledModule;
    } catch {
      return undefined;
    }
  }

  /**
   * The compiled module: from disk, or compiled now, one at a time, in a process of low priority.
   *
   * @throws {AppError} NotFound when the module is not here, Invalid when it is at fault, Timeout,
   * InternalError when the compiler died
   */
  async compile(digest: string, signal: AbortSignal): Promise<CompiledModule> {
    const running = this.#running.get(digest);
    if (running) return await running;
    const turn = this.#tail.then(() => this.#compileNow(digest, signal));
    this.#tail = turn.catch(() => {});
    this.#running.set(digest, turn);
    try {
      return await turn;
    } finally {
      this.#running.delete(digest);
    }
  }

  async #compileNow(digest: string, signal: AbortSignal): Promise<CompiledModule> {
    signal.throwIfAborted();
    const found = await this.find(digest);
    if (found) return found;
    const input = this.#modulePath(digest);
    if (!await fileExists(input)) throw new AppError("NotFound", `module ${digest} is not here`);
    const temporary = `${this.compiledPath(digest)}.tmp`;
    const { library, major, settings, clock, compileTimeout } = this.#options;
    try {
      const report = await compileInChild(
        { library, major, settings, input, output: temporary },
        { clock, timeout: compileTimeout, signal },
      );
      const compiled: CompiledModule = { ...report, digest };
      await syncFile(temporary);
      await Deno.rename(temporary, this.compiledPath(digest));
      await writeFileAtomic(`${this.#compiledFolder}/${digest}.json`, JSON.stringify(compiled));
      return compiled;
    } finally {
      await removeIfThere(temporary);
    }
  }

  /** Whether the compiled file is what the compiler wrote. A damaged one is removed. */
  async verify(compiled: CompiledModule): Promise<boolean> {
    const path = this.compiledPath(compiled.digest);
    const data = await Deno.readFile(path);
    if (await sha256Hex(data) === compiled.sha256) return true;
    await this.#dropCompiled(compiled.digest);
    return false;
  }

  /** Removes what is not in `keep`, except modules that came a short while ago. */
  async collect(keep: ReadonlySet<string>): Promise<void> {
    const now = this.#options.clock.now();
    for await (const { name } of Deno.readDir(`${this.#options.folder}/modules`)) {
      const digest = name.replace(/\.wasm$/, "");
      if (keep.has(digest) || this.#running.has(digest)) continue;
      const { mtime } = await Deno.stat(`${this.#options.folder}/modules/${name}`);
      if (mtime !== null && now - mtime.getTime() < GRACE) continue;
      await removeIfThere(`${this.#options.folder}/modules/${name}`);
      await this.#dropCompiled(digest);
    }
  }

  async #dropCompiled(digest: string): Promise<void> {
    await removeIfThere(`${this.#compiledFolder}/${digest}.json`);
    await removeIfThere(this.compiledPath(digest));
  }

  /** A process that was killed may have left half-written files. */
  async #dropTemporary(): Promise<void> {
    for (const folder of [this.#compiledFolder, `${this.#options.folder}/modules`]) {
      for await (const { name } of Deno.readDir(folder)) {
        if (name.endsWith(".tmp")) await removeIfThere(`${folder}/${name}`);
      }
    }
  }
}

/** The ABI to call a module by: the wanted one, or the first that fits. A text says why none does. */
export function chooseAbi(
  compiled: CompileReport,
  wanted: Abi | "auto",
): { readonly abi: Abi } | { readonly problem: string } {
  const order: Abi[] = wanted === "auto" ? ["skerry-core-v1", "wasi-command"] : [wanted];
  const problems: string[] = [];
  for (const abi of order) {
    const verdict = compiled.verdicts[abi];
    if (verdict.fits) return { abi };
    problems.push(`as ${abi} it ${verdict.problem}`);
  }
  return { problem: `the module fits no known ABI: ${problems.join("; ")}` };
}

async function syncFile(path: string): Promise<void> {
  using file = await Deno.open(path, { read: true, write: true });
  await file.sync();
}
