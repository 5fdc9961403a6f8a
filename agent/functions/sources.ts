import { type Clock, deadline, errorText, isAppError, minutes } from "../../core/base/mod.ts";
import { type KubeObject, RESOURCES, type WasmFunction } from "../../core/api/mod.ts";
import { MAX_MODULE_BYTES } from "../../core/runnerapi/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import type { SourceResult } from "./plan.ts";

/** A module that was found. Its bytes are read only when they are needed. */
export interface FoundModule {
  /** SHA-256, hex. */
  readonly digest: string;
  /** The module. @throws {SourceError} when it has gone or changed since */
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

/** Where a module lies, and a text that changes when the module may have. */
interface Place {
  readonly key: string;
  load(): Promise<Uint8Array<ArrayBuffer>>;
}

/** Options of {@linkcode ModuleSources}. */
export interface ModuleSourcesOptions {
  readonly store: LocalStore;
  /** Folder that `spec.source.file` names a file below. */
  readonly files: string;
  /** Folder of modules that were fetched, so that they are here without a network. */
  readonly cache: string;
  /** `host` or `host:port` that modules may be fetched from; without a port all of its ports. @default {none} */
  readonly hosts?: readonly string[];
  readonly clock: Clock;
}

/** A failed look for a module, as the function's status tells it. */
export class SourceError extends Error {
  readonly result: SourceResult & { found: false };

  constructor(
    reason: (SourceResult & { found: false })["reason"],
    message: string,
    retry: boolean,
  ) {
    super(message);
    this.result = { found: false, reason, message, retry };
  }
}

const FETCH_TIMEOUT = minutes(2);

/** Finds the modules of functions: in a folder, in a ConfigMap, or over HTTP. */
export class ModuleSources {
  readonly #options: ModuleSourcesOptions;
  /** What was read last of each function, by UID: a module is hashed once, not at every look. */
  readonly #digests = new Map<string, { readonly key: string; readonly digest: string }>();

  constructor(options: ModuleSourcesOptions) {
    this.#options = options;
  }

  /** The module of a valid function. @throws {SourceError} when it cannot be had */
  async find(fn: WasmFunction, signal: AbortSignal): Promise<FoundModule> {
    const uid = fn.metadata.uid ?? "";
    const { source } = fn.spec;
    const place = source.http
      ? this.#httpPlace(source.http, signal)
      : source.file !== undefined
      ? await this.#filePlace(source.file)
      : await this.#configMapPlace(fn.metadata.namespace ?? "default", source.configMapRef);
    const known = this.#digests.get(uid);
    if (known?.key === place.key) return { digest: known.digest, read: () => place.load() };
    const wasm = await place.load();
    const digest = await sha256Hex(wasm);
    this.#digests.set(uid, { key: place.key, digest });
    return { digest, read: () => Promise.resolve(wasm) };
  }

  /** Forgets a function. */
  forget(uid: string): void {
    this.#digests.delete(uid);
  }

  async #filePlace(name: string): Promise<Place> {
    try {
      // The real path may lie elsewhere when the folder holds links: those are followed only inside.
      const [root, real] = await Promise.all([
        Deno.realPath(this.#options.files),
        Deno.realPath(`${this.#options.files}/${name}`),
      ]);
      if (!real.startsWith(`${root}/`)) {
        throw new SourceError(
          "SourceNotFound",
          `spec.source.file ${name} leads out of the module folder: put the file itself there`,
          true,
        );
      }
      const { size, mtime, ino, isFile } = await Deno.stat(real);
      if (!isFile) throw new Deno.errors.NotFound();
      if (size > MAX_MODULE_BYTES) throw tooLarge(`file ${name}`, size);
      const key = `${real} ${size} ${mtime?.getTime()} ${ino}`;
      return { key, load: () => Deno.readFile(real) };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new SourceError(
        "SourceNotFound",
        `spec.source.file ${name} is not in this node's module folder ${this.#options.files}: ` +
          `put it there`,
        true,
      );
    }
  }

  async #configMapPlace(
    namespace: string,
    ref: { readonly name: string; readonly key: string } | undefined,
  ): Promise<Place> {
    const { name = "", key = "" } = ref ?? {};
    const map = await this.#configMap(namespace, name);
    const text = map["binaryData"]?.[key] ?? map["data"]?.[key];
    if (typeof text !== "string") {
      const keys = [...Object.keys(map["binaryData"] ?? {}), ...Object.keys(map["data"] ?? {})];
      throw new SourceError(
        "SourceNotFound",
        `ConfigMap ${namespace}/${name} has no key ${key} (it has ${keys.join(", ") || "none"}): ` +
          `put the module into binaryData.${key}`,
        false,
      );
    }
    if (text.length > MAX_MODULE_BYTES * 4 / 3 + 4) {
      throw tooLarge(`ConfigMap ${name}`, text.length);
    }
    const { uid, resourceVersion } = map.metadata;
    return {
      key: `${uid} ${resourceVersion} ${key}`,
      load: () =>
        Promise.resolve(decodeBase64(text, `key ${key} of ConfigMap ${namespace}/${name}`)),
    };
  }

  async #configMap(namespace: string, name: string): Promise<KubeObject> {
    try {
      return await this.#options.store.get({ resource: RESOURCES.configmaps, namespace, name });
    } catch (error) {
      if (!isAppError(error, "NotFound")) throw error;
      throw new SourceError(
        "SourceNotFound",
        `ConfigMap ${namespace}/${name} of spec.source.configMapRef is not there: create it`,
        false,
      );
    }
  }

  #httpPlace(
    source: { readonly url: string; readonly sha256: string },
    signal: AbortSignal,
  ): Place {
    return { key: `sha256 ${source.sha256}`, load: () => this.#fromHttp(source, signal) };
  }

  async #fromHttp(
    source: { readonly url: string; readonly sha256: string },
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { cache } = this.#options;
    const path = `${cache}/${source.sha256}.wasm`;
    const cached = await readIfThere(path);
    if (cached && await sha256Hex(cached) === source.sha256) return cached;
    this.#requireHost(source.url);
    const wasm = await this.#fetch(source.url, signal);
    const digest = await sha256Hex(wasm);
    if (digest !== source.sha256) {
      throw new SourceError(
        "DigestMismatch",
        `what lies at ${source.url} has sha256 ${digest}, spec.source.http.sha256 is ` +
          `${source.sha256}: correct the one or the other`,
        true,
      );
    }
    await Deno.mkdir(cache, { recursive: true, mode: 0o700 });
    const temporary = `${path}.${crypto.randomUUID()}.tmp`;
    await Deno.writeFile(temporary, wasm, { mode: 0o600 });
    await Deno.rename(temporary, path);
    return wasm;
  }

  /**
   * The agent may reach more than modules come from, as its own ports and the pods of this node:
   * whoever may write a function must not reach those through it.
   */
  #requireHost(url: string): void {
    if ((this.#options.hosts ?? []).some((allowed) => isHostOf(url, allowed))) return;
    throw new SourceError(
      "SourceUnavailable",
      `spec.source.http.url ${url} is at no host that this node may fetch modules from: start its ` +
        `agent with --function-hosts=${new URL(url).host}`,
      false,
    );
  }

  async #fetch(url: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const { clock } = this.#options;
    using limit = deadline(clock, FETCH_TIMEOUT, () => new Error("no answer in 2 min"), signal);
    try {
      // What is plain http is fine, as the digest is checked; where it leads on to is not.
      const response = await fetch(url, { signal: limit.signal, redirect: "manual" });
      if (response.status >= 300 && response.status < 400) {
        await response.body?.cancel();
        const to = response.headers.get("location") ?? "nowhere";
        throw new SourceError(
          "SourceUnavailable",
          `${url} redirects to ${to}, which is not followed: put the module's own address into ` +
            `spec.source.http.url`,
          true,
        );
      }
      if (!response.ok) {
        await response.body?.cancel();
        const lost = response.status === 404 || response.status === 410;
        throw new SourceError(
          lost ? "SourceNotFound" : "SourceUnavailable",
          `${url} answers ${response.status}`,
          true,
        );
      }
      return await readCapped(response, url);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof SourceError) throw error;
      const help = error instanceof Deno.errors.NotCapable
        ? `: the agent may not reach it; start it with --function-hosts=${new URL(url).host}`
        : `: ${errorText(error)}; tried again`;
      throw new SourceError("SourceUnavailable", `cannot fetch ${url}${help}`, true);
    }
  }

  /** Removes fetched modules that no function names any more. */
  async collect(keep: ReadonlySet<string>): Promise<void> {
    const { cache } = this.#options;
    try {
      for await (const { name } of Deno.readDir(cache)) {
        if (!keep.has(name.replace(/\.wasm$/, ""))) await Deno.remove(`${cache}/${name}`);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Whether an address lies at `host`, `host:port` or `[v6]:port`. */
function isHostOf(address: string, allowed: string): boolean {
  const { protocol, hostname, port } = new URL(address);
  const own = port || (protocol === "https:" ? "443" : "80");
  const entry = allowed.toLowerCase();
  return [hostname, `${hostname}:${own}`].includes(entry);
}

async function readCapped(response: Response, url: string): Promise<Uint8Array<ArrayBuffer>> {
  const said = Number(response.headers.get("content-length") ?? 0);
  if (said > MAX_MODULE_BYTES) {
    await response.body?.cancel();
    throw tooLarge(url, said);
  }
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_MODULE_BYTES) throw tooLarge(url, size);
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function decodeBase64(text: string, where: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    throw new SourceError(
      "InvalidModule",
      `${where} is no base64: put the module into binaryData, e.g. with ` +
        `kubectl create configmap NAME --from-file=module.wasm`,
      false,
    );
  }
}

function tooLarge(what: string, size: number): SourceError {
  return new SourceError(
    "SourceTooLarge",
    `${what} has ${size} bytes or more, a module at most ${MAX_MODULE_BYTES}: build it smaller`,
    false,
  );
}

async function readIfThere(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function sha256Hex(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
}
