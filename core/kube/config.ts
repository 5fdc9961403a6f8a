import { parse } from "yaml";
import { AppError, errorText, hostAndPort } from "../base/mod.ts";

/** How to reach an API server and who to be there. */
export interface KubeEndpoint {
  /** e.g. `https://10.0.0.1:6443`, without a slash at the end. */
  readonly server: string;
  /** The CA that must have signed the server's certificate, PEM. Absent: the system's roots. */
  readonly ca?: string;
  /** Client certificate and key, PEM. */
  readonly credential?: { readonly certificate: string; readonly key: string };
  /** Gives the bearer token; a file is read again each time, as it is rotated. */
  readonly token?: () => Promise<string>;
}

/** The word that stands for the service account of the pod that this process runs in. */
export const IN_CLUSTER = "in-cluster";
/** Where Kubernetes mounts a pod's service account. */
export const SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";
/** What is read there: what lies in it are links, to where the mount has what is current. */
export const IN_CLUSTER_FILES: readonly string[] = [SERVICE_ACCOUNT_DIR, "/run/secrets"];

/**
 * Reads a kubeconfig's current context, or for {@linkcode IN_CLUSTER} the pod's service account.
 *
 * @throws {AppError} NotFound, Invalid; Unsupported for what would weaken TLS or run a program
 */
export async function readEndpoint(path: string): Promise<KubeEndpoint> {
  if (path === IN_CLUSTER) return await serviceAccount();
  const config = await readYaml(path);
  const bad = (what: string): AppError => new AppError("Invalid", `kubeconfig ${path}: ${what}`);
  const name = config["current-context"];
  if (!name) throw bad("it has no current-context: set one with kubectl config use-context");
  const context = entriesOf(config, "context").get(name);
  if (!context) throw bad(`it has no context ${name}`);
  const cluster = entriesOf(config, "cluster").get(context["cluster"]);
  if (!cluster) throw bad(`it has no cluster ${context["cluster"]}`);
  const user = entriesOf(config, "user").get(context["user"]);
  if (!user) throw bad(`it has no user ${context["user"]}`);
  refuse(path, cluster, user);
  const base = folderOf(path);
  const text = async (field: string, data: unknown, file: unknown): Promise<string | undefined> => {
    if (typeof data === "string" && data !== "") {
      return decode(data, () => bad(`${field}-data is no base64`));
    }
    if (typeof file !== "string" || file === "") return undefined;
    const read = await readText(resolve(base, file));
    if (read.trim() === "") throw bad(`${field} ${file} is empty`);
    return read;
  };
  const ca = await text(
    "certificate-authority",
    cluster["certificate-authority-data"],
    cluster["certificate-authority"],
  );
  const certificate = await text(
    "client-certificate",
    user["client-certificate-data"],
    user["client-certificate"],
  );
  const key = await text("client-key", user["client-key-data"], user["client-key"]);
  if ((certificate === undefined) !== (key === undefined)) {
    throw bad(
      `user ${context["user"]} has one of client-certificate and client-key: it needs both`,
    );
  }
  const { token, tokenFile } = user;
  const tokenOf = typeof tokenFile === "string" && tokenFile !== ""
    ? tokenIn(resolve(base, tokenFile))
    : typeof token === "string" && token !== ""
    ? () => Promise.resolve(token)
    : undefined;
  if (certificate === undefined && tokenOf === undefined) {
    throw bad(`user ${context["user"]} has neither a client certificate nor a token`);
  }
  return {
    server: serverOf(path, cluster["server"]),
    ...(ca === undefined ? {} : { ca }),
    ...(certificate && key ? { credential: { certificate, key } } : {}),
    ...(tokenOf ? { token: tokenOf } : {}),
  };
}

/**
 * What a process must be able to reach and to read for {@linkcode readEndpoint} and the calls after
 * it: to start it with these rights alone.
 *
 * @throws {AppError} as {@linkcode readEndpoint}
 */
export async function clusterAccess(
  path: string,
): Promise<{ readonly host: string; readonly files: readonly string[] }> {
  const { hostname, port } = new URL((await readEndpoint(path)).server);
  const host = `${hostname}:${port === "" ? "443" : port}`;
  if (path === IN_CLUSTER) return { host, files: IN_CLUSTER_FILES };
  const config = await readYaml(path);
  const base = folderOf(path);
  const named = [...entriesOf(config, "cluster").values(), ...entriesOf(config, "user").values()]
    .flatMap((fields) => FILE_FIELDS.map((field) => fields[field]))
    .filter((file) => typeof file === "string" && file !== "")
    .map((file) => resolve(base, String(file)));
  return { host, files: [path, ...named] };
}

const FILE_FIELDS = ["certificate-authority", "client-certificate", "client-key", "tokenFile"];

function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : ".";
}

/** Relative names in a kubeconfig count from its folder. */
function resolve(base: string, file: string): string {
  return file.startsWith("/") ? file : `${base}/${file}`;
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The contexts, clusters or users of a kubeconfig by their names; what is none of them is left out. */
function entriesOf(config: Fields, kind: "context" | "cluster" | "user"): Map<unknown, Fields> {
  const list = config[`${kind}s`];
  const entries = new Map<unknown, Fields>();
  for (const one of Array.isArray(list) ? list : []) {
    // The first of a name counts, as for kubectl.
    if (isFields(one) && isFields(one[kind]) && !entries.has(one["name"])) {
      entries.set(one["name"], one[kind]);
    }
  }
  return entries;
}

async function readYaml(path: string): Promise<Fields> {
  const text = await readText(path);
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new AppError("Invalid", `kubeconfig ${path} is no YAML: ${errorText(cause)}`);
  }
  if (!isFields(value)) throw new AppError("Invalid", `kubeconfig ${path} holds no configuration`);
  for (const [field, wanted] of [["apiVersion", "v1"], ["kind", "Config"]] as const) {
    // kubectl takes one that says neither, too.
    if (value[field] === undefined || value[field] === wanted) continue;
    throw new AppError(
      "Invalid",
      `kubeconfig ${path}: ${field} is ${JSON.stringify(value[field])}: it must be ${wanted}`,
    );
  }
  return value;
}

/** What cannot be honoured is refused: silently left out it would be less safe, or not work. */
function refuse(path: string, cluster: Fields, user: Fields): void {
  const no = (what: string): AppError => new AppError("Unsupported", `kubeconfig ${path}: ${what}`);
  if (cluster["insecure-skip-tls-verify"] === true) {
    throw no("insecure-skip-tls-verify is not taken: give certificate-authority-data instead");
  }
  for (const field of ["tls-server-name", "proxy-url"]) {
    if (cluster[field] !== undefined) throw no(`${field} is not supported`);
  }
  if (user["exec"] !== undefined || user["auth-provider"] !== undefined) {
    throw no(
      "it gets its credential from a program, and this process may run none: use a client " +
        "certificate, a token or a token file (kubectl create token)",
    );
  }
  for (const field of ["username", "as", "as-groups", "as-uid", "as-user-extra"]) {
    if (user[field] !== undefined) throw no(`user field ${field} is not supported`);
  }
}

function serverOf(path: string, server: unknown): string {
  if (typeof server === "string" && URL.canParse(server)) {
    const url = new URL(server);
    if (url.protocol === "https:") return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
  }
  throw new AppError("Invalid", `kubeconfig ${path}: server must be an https address: ${server}`);
}

async function serviceAccount(): Promise<KubeEndpoint> {
  const [host, port] = ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"]
    .map((name) => Deno.env.get(name));
  if (!host || !port) {
    throw new AppError(
      "NotFound",
      "This process runs in no pod of Kubernetes: KUBERNETES_SERVICE_HOST is not set",
    );
  }
  return {
    server: `https://${hostAndPort(host, port)}`,
    ca: await readText(`${SERVICE_ACCOUNT_DIR}/ca.crt`),
    token: tokenIn(`${SERVICE_ACCOUNT_DIR}/token`),
  };
}

function tokenIn(path: string): () => Promise<string> {
  return async () => (await readText(path)).trim();
}

async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.IsADirectory) {
      throw new AppError("Invalid", `Cannot read ${path}: it is a folder; name a file in it`);
    }
    const code = cause instanceof Deno.errors.NotFound ? "NotFound" : "Invalid";
    throw new AppError(code, `Cannot read ${path}: ${errorText(cause)}`, { cause });
  }
}

function decode(base64: string, bad: () => AppError): string {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(base64));
  } catch {
    throw bad();
  }
}
