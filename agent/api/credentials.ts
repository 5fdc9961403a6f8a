import { type Clock, hours, type Ms } from "../../core/base/mod.ts";
import { readFile, writeFile } from "../../core/join/mod.ts";
import {
  createKey,
  type Credential,
  HUB_NAME,
  issueCa,
  issueCertificate,
  kubeconfigText,
  loadKeyPair,
  MASTERS_GROUP,
  readCertificate,
} from "../../core/pki/mod.ts";
import { API_NAMES } from "../pods/mod.ts";

/** What the local API serves with and whom it lets in. All PEM. */
export interface LocalCredentials {
  readonly ca: string;
  readonly serving: Credential;
  /** Kubeconfig of the machine's administrator, 0600. */
  readonly kubeconfig: string;
}

/** By which it is reached: on the machine, and as pods call any cluster's API server. */
const ALT_NAMES = ["127.0.0.1", "localhost", ...API_NAMES];
const LIFETIME = hours(10 * 365 * 24);
/** Credentials with less life left than this are made anew at start. */
const LEAST_LEFT = hours(365 * 24);

/**
 * The credentials of this node's own API, made once. They belong to the machine, not to the hub:
 * the local API works before a hub exists and while it is away. The CA's key is thrown away as
 * soon as it has signed, so nobody can ever sign more.
 */
export async function ensureLocalCredentials(
  folder: string,
  port: number,
  clock: Clock,
): Promise<LocalCredentials> {
  const ca = readFile(`${folder}/ca.crt`);
  const certificate = readFile(`${folder}/serving.crt`);
  const key = readFile(`${folder}/serving.key`);
  const old = readFile(`${folder}/kubeconfig`);
  const kubeconfig = `${folder}/kubeconfig`;
  const fresh = certificate !== undefined && isFresh(certificate, clock.now());
  if (ca && certificate && key && fresh && old?.includes(`"https://127.0.0.1:${port}"`)) {
    return { ca, serving: { certificate, key }, kubeconfig };
  }
  return await makeCredentials(folder, port, clock);
}

async function makeCredentials(
  folder: string,
  port: number,
  clock: Clock,
): Promise<LocalCredentials> {
  const now = clock.now();
  const caKey = await createKey();
  const certificate = await issueCa({
    keyPem: caKey,
    commonName: "skerry-local",
    now,
    lifetime: LIFETIME,
  });
  const ca: Credential = { certificate, key: caKey };
  const serving = await issue(ca, "server", now);
  const admin = await issue(ca, "client", now);
  const text = kubeconfigText({
    ca,
    server: `https://127.0.0.1:${port}`,
    cluster: "skerry-local",
    credential: admin,
  });
  writeFile(folder, "ca.crt", certificate);
  writeFile(folder, "serving.key", serving.key);
  writeFile(folder, "serving.crt", serving.certificate);
  writeFile(folder, "kubeconfig", text);
  return { ca: certificate, serving, kubeconfig: `${folder}/kubeconfig` };
}

async function issue(ca: Credential, use: "server" | "client", now: Ms): Promise<Credential> {
  const key = await createKey();
  const subject = use === "server"
    ? { commonName: HUB_NAME, organizations: [] }
    : { commonName: "local-admin", organizations: [MASTERS_GROUP] };
  const certificate = await issueCertificate({
    ca,
    subject,
    publicKey: (await loadKeyPair(key)).publicKey,
    use,
    now,
    lifetime: LIFETIME,
    ...(use === "server" ? { altNames: ALT_NAMES } : {}),
  });
  return { certificate, key };
}

/** Whether a certificate lasts, and serves all names. */
function isFresh(certificate: string, now: Ms): boolean {
  try {
    const { notAfter, altNames } = readCertificate(certificate);
    const names = new Set(altNames.map((name) => name.replace(/^(DNS|IP):/, "")));
    return notAfter - now > LEAST_LEFT && ALT_NAMES.every((name) => names.has(name));
  } catch {
    return false; // Unreadable: as good as expired.
  }
}
