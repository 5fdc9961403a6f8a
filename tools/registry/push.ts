import { GO_ARCHITECTURE, imageConfig } from "../images/mod.ts";

/** What an image holds and how its containers start. */
export interface ImageContent {
  /** Tar archives, the lowest first. */
  readonly layers: readonly Uint8Array<ArrayBuffer>[];
  readonly cmd: readonly string[];
}

/** Basic credentials. */
export interface Login {
  readonly username: string;
  readonly password: string;
}

const TYPES = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
} as const;

interface Descriptor {
  readonly mediaType: string;
  readonly size: number;
  readonly digest: string;
}

/**
 * Pushes an image to `HOST/NAME:TAG` by the registry's HTTP API, over plain HTTP. Returns the
 * digest of its manifest.
 *
 * @throws {Error} when the registry refuses a part
 */
export async function pushImage(ref: string, image: ImageContent, login?: Login): Promise<string> {
  const [, host, name, tag] = /^([^/]+)\/(.+):([^:/]+)$/.exec(ref) ?? [];
  const base = `http://${host}/v2/${name}`;
  const headers = login
    ? { authorization: `Basic ${btoa(`${login.username}:${login.password}`)}` }
    : undefined;
  const call = async (method: string, url: string, init: RequestInit = {}): Promise<Response> => {
    const response = await fetch(url, {
      method,
      ...init,
      headers: { ...headers, ...init.headers },
    });
    await response.body?.cancel();
    if (response.ok) return response;
    throw new Error(`${method} ${url}: ${response.status}`);
  };
  const blob = async (mediaType: string, data: Uint8Array<ArrayBuffer>): Promise<Descriptor> => {
    const digest = await digestOf(data);
    const begun = await call("POST", `${base}/blobs/uploads/`);
    const url = new URL(begun.headers.get("location") ?? "", base);
    url.searchParams.set("digest", digest);
    const type = { "content-type": "application/octet-stream" };
    await call("PUT", url.href, { body: data, headers: type });
    return { mediaType, size: data.length, digest };
  };
  const layers: Descriptor[] = [];
  for (const layer of image.layers) layers.push(await blob(TYPES.layer, layer));
  const diffIds = layers.map(({ digest }) => digest);
  const spec = imageConfig({ ref, cmd: image.cmd }, diffIds, GO_ARCHITECTURE);
  const config = await blob(TYPES.config, json(spec));
  const manifest = json({ schemaVersion: 2, mediaType: TYPES.manifest, config, layers });
  const type = { "content-type": TYPES.manifest };
  await call("PUT", `${base}/manifests/${tag}`, { body: manifest, headers: type });
  return await digestOf(manifest);
}

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

async function digestOf(data: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return `sha256:${digest.toHex()}`;
}
