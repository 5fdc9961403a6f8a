import { hours, type Ms, systemClock } from "../../core/base/mod.ts";
import {
  createKey,
  type Credential,
  issueCa,
  issueCertificate,
  kubeconfigText,
  loadKeyPair,
  toPem,
} from "../../core/pki/mod.ts";
import { FIRST_SERVICE_IP } from "./commands.ts";

const LIFETIME: Ms = hours(30 * 24);

/** Certificate subjects by the file that holds them. */
const CLIENTS = {
  "admin": { commonName: "admin", organizations: ["system:masters"] },
  "controller-manager": {
    commonName: "system:kube-controller-manager",
    organizations: ["system:masters"],
  },
  "scheduler": { commonName: "system:kube-scheduler", organizations: [] },
  "kubelet-client": {
    commonName: "kube-apiserver-kubelet-client",
    organizations: ["system:masters"],
  },
} as const;

/**
 * Makes what a control plane proves itself by, in `dir/pki`, and a kubeconfig in `dir` for everybody
 * who speaks to the server: `admin`, `controller-manager`, `scheduler`.
 */
export async function makeCertificates(dir: string, server: string): Promise<void> {
  const pki = `${dir}/pki`;
  await Deno.mkdir(pki, { recursive: true, mode: 0o700 });
  const now = systemClock.now();
  const key = await createKey();
  const certificate = await issueCa({
    keyPem: key,
    commonName: "kube-ca",
    now,
    lifetime: LIFETIME,
  });
  const ca = { certificate, key };
  await write(pki, "ca", ca);
  const altNames = [
    ...["127.0.0.1", "::1", FIRST_SERVICE_IP, "localhost"],
    ...["kubernetes", "kubernetes.default", "kubernetes.default.svc"],
  ];
  await write(
    pki,
    "apiserver",
    await issue(ca, { commonName: "kube-apiserver", organizations: [] }, "server", altNames),
  );
  for (const [name, subject] of Object.entries(CLIENTS)) {
    const credential = await issue(ca, subject, "client");
    await write(pki, name, credential);
    if (name === "kubelet-client") continue;
    const text = kubeconfigText({ ca, server, cluster: "kube", credential });
    await Deno.writeTextFile(`${dir}/${name}.kubeconfig`, text, { mode: 0o600 });
  }
  await writeFrontProxy(pki);
  await writeServiceAccountKeys(pki);
}

/** The API server's own word to what it hands requests on to; its CA vouches for nothing else. */
async function writeFrontProxy(pki: string): Promise<void> {
  const key = await createKey();
  const now = systemClock.now();
  const commonName = "front-proxy-ca";
  const certificate = await issueCa({ keyPem: key, commonName, now, lifetime: LIFETIME });
  const ca = { certificate, key };
  await write(pki, "front-proxy-ca", ca);
  const subject = { commonName: "front-proxy-client", organizations: [] };
  await write(pki, "front-proxy-client", await issue(ca, subject, "client"));
}

/** Has the cluster's CA vouch for a server that runs beside it: `NAME.crt` and `.key` in `dir/pki`. */
export async function makeServing(
  dir: string,
  name: string,
  altNames: readonly string[],
): Promise<void> {
  const pki = `${dir}/pki`;
  const [certificate, key] = await Promise.all(
    ["ca.crt", "ca.key"].map((file) => Deno.readTextFile(`${pki}/${file}`)),
  );
  const ca = { certificate: certificate ?? "", key: key ?? "" };
  const subject = { commonName: name, organizations: [] };
  await write(pki, name, await issue(ca, subject, "server", altNames));
}

async function issue(
  ca: Credential,
  subject: { readonly commonName: string; readonly organizations: readonly string[] },
  use: "client" | "server",
  altNames: readonly string[] = [],
): Promise<Credential> {
  const key = await createKey();
  const { publicKey } = await loadKeyPair(key);
  const now = systemClock.now();
  const lifetime = LIFETIME;
  return {
    certificate: await issueCertificate({ ca, subject, publicKey, use, altNames, now, lifetime }),
    key,
  };
}

async function write(pki: string, name: string, { certificate, key }: Credential): Promise<void> {
  await Deno.writeTextFile(`${pki}/${name}.crt`, certificate);
  await Deno.writeTextFile(`${pki}/${name}.key`, key, { mode: 0o600 });
}

/** Kubernetes signs tokens with RSA. */
async function writeServiceAccountKeys(pki: string): Promise<void> {
  const algorithm = {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: "SHA-256",
  };
  const pair = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const bytes = async (form: "pkcs8" | "spki", key: CryptoKey): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.exportKey(form, key));
  const secret = toPem("PRIVATE KEY", await bytes("pkcs8", pair.privateKey));
  await Deno.writeTextFile(`${pki}/service-accounts.key`, secret, { mode: 0o600 });
  const open = toPem("PUBLIC KEY", await bytes("spki", pair.publicKey));
  await Deno.writeTextFile(`${pki}/service-accounts.pub`, open);
}
