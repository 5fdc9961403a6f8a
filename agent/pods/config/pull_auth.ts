import type { Pod } from "../../../core/api/mod.ts";
import type { ImageAuth } from "../../runtimes/mod.ts";
import { decodeBase64 } from "./env.ts";
import { hostIn } from "../policy/image_name.ts";
import type { PodObjects } from "../policy/plan.ts";

interface DockerAuth {
  username?: string;
  password?: string;
  auth?: string;
}

/** The registry of an image reference: what stands before the first slash, if it is a host. */
export function registryOf(image: string): string {
  return plainHost(hostIn(image)) || "docker.io";
}

/**
 * The credentials for an image out of the pod's `imagePullSecrets`, in the order in which they are
 * tried: the longer name of a registry first, as `HOST/team` comes before `HOST`. Secrets that are
 * missing or unreadable are passed over. As the kubelet does all of it.
 */
export function pullAuths(pod: Pod, objects: PodObjects, image: string): ImageAuth[] {
  const found: { key: string; auth: ImageAuth }[] = [];
  for (const { name } of pod.spec.imagePullSecrets as { name: string }[] | undefined ?? []) {
    const secret = Object.hasOwn(objects.secrets, name) ? objects.secrets[name] : undefined;
    const auths = secret && dockerAuths(secret.binary, secret.data);
    for (const [server, entry] of Object.entries(auths ?? {})) {
      const key = keyOf(server);
      const auth = matches(key, image) ? credentials(entry) : undefined;
      if (auth) found.push({ key, auth });
    }
  }
  return found.sort((a, b) => a.key < b.key ? 1 : a.key > b.key ? -1 : 0).map(({ auth }) => auth);
}

/** The name of a registry in a secret as `HOST` or `HOST/PATH`. */
function keyOf(server: string): string {
  const [host = "", ...path] = server.replace(/^https?:\/\//, "").split("/");
  if (path[0] === "v1" || path[0] === "v2") path.shift();
  return [plainHost(host), ...path].join("/").replace(/\/+$/, "");
}

/** Docker's own registry has several names. */
function plainHost(host: string): string {
  return host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
}

/** Whether a key is about an image: `*` stands for anything within one part of the host's name. */
function matches(key: string, image: string): boolean {
  const slash = key.indexOf("/");
  const [host, path] = slash < 0 ? [key, ""] : [key.slice(0, slash), key.slice(slash + 1)];
  const [wanted, found] = [partsOf(host), partsOf(registryOf(image))];
  return wanted.port === found.port && wanted.names.length === found.names.length &&
    wanted.names.every((name, at) => globMatches(name, found.names[at] ?? "")) &&
    image.slice(image.indexOf("/") + 1).startsWith(path);
}

function partsOf(host: string): { readonly names: string[]; readonly port: string } {
  const [name = "", port = ""] = host.split(":");
  return { names: name.split("."), port };
}

function globMatches(glob: string, text: string): boolean {
  const [first = "", ...parts] = glob.split("*");
  const last = parts.pop();
  if (last === undefined) return glob === text;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

function dockerAuths(
  binary: Readonly<Record<string, string>>,
  data: Readonly<Record<string, string>>,
): Record<string, DockerAuth> | undefined {
  try {
    for (const key of [".dockerconfigjson", ".dockercfg"]) {
      const encoded = binary[key];
      const text = data[key] ?? (encoded && new TextDecoder().decode(decodeBase64(encoded)));
      if (!text) continue;
      const config = JSON.parse(text);
      return key === ".dockercfg" ? config : config.auths;
    }
  } catch {
    // Unreadable: the pull goes on without it, and the registry's own refusal names the cause.
  }
  return undefined;
}

function credentials(auth: DockerAuth): { username: string; password: string } | undefined {
  if (auth.username && auth.password) return { username: auth.username, password: auth.password };
  if (!auth.auth) return undefined;
  const text = textOf(auth.auth);
  const colon = text.indexOf(":");
  if (colon < 1) return undefined;
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function textOf(encoded: string): string {
  try {
    return new TextDecoder().decode(decodeBase64(encoded));
  } catch {
    return "";
  }
}
