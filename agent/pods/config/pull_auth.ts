import type { Pod } from "../../../core/api/mod.ts";
import type { ImageAuth } from "../../runtimes/mod.ts";
import { decodeBase64 } from "./env.ts";
import type { PodObjects } from "../policy/plan.ts";

interface DockerAuth {
  username?: string;
  password?: string;
  auth?: string;
}

/** The registry of an image reference: what stands before the first slash, if it is a host. */
export function registryOf(image: string): string {
  const first = image.split("/")[0] ?? "";
  const host = image.includes("/") && (/[.:]/.test(first) || first === "localhost");
  return host ? first : "docker.io";
}

/**
 * The credentials for an image out of the pod's `imagePullSecrets`; `undefined` when none names
 * its registry. Secrets that are missing or unreadable are passed over, as the kubelet does.
 */
export function pullAuth(pod: Pod, objects: PodObjects, image: string): ImageAuth | undefined {
  const registry = registryOf(image);
  for (const { name } of pod.spec.imagePullSecrets as { name: string }[] | undefined ?? []) {
    const secret = Object.hasOwn(objects.secrets, name) ? objects.secrets[name] : undefined;
    const auths = secret && dockerAuths(secret.binary, secret.data);
    for (const [server, auth] of Object.entries(auths ?? {})) {
      if (hostOf(server) !== registry) continue;
      const found = credentials(auth);
      if (found) return { ...found, server: registry };
    }
  }
  return undefined;
}

function hostOf(server: string): string {
  const host = server.replace(/^https?:\/\//, "").split("/")[0] ?? server;
  return host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
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
