import { stringify } from "yaml";
import { type Clock, hours } from "../../core/base/mod.ts";
import {
  createKey,
  type Credential,
  issueCertificate,
  loadKeyPair,
  MASTERS_GROUP,
} from "../../core/pki/mod.ts";
import type { HubCa } from "./ca.ts";

/** Options of {@linkcode writeAdminKubeconfig}. */
export interface KubeconfigOptions {
  readonly ca: HubCa;
  readonly clock: Clock;
  /** Address of the Kubernetes API, e.g. `https://127.0.0.1:6443`. */
  readonly server: string;
  /** Name of cluster and context. */
  readonly cluster: string;
  /** The file; its folder exists. */
  readonly path: string;
}

const LIFETIME = hours(365 * 24);

/**
 * Writes a kubeconfig whose certificate may do everything (`O=system:masters, CN=admin`), mode
 * 0600. Made anew at every start of the hub, so that address and certificate are always good.
 */
export async function writeAdminKubeconfig(options: KubeconfigOptions): Promise<void> {
  const { ca, clock, path } = options;
  const key = await createKey();
  const certificate = await issueCertificate({
    ca,
    subject: { commonName: "admin", organizations: [MASTERS_GROUP] },
    publicKey: (await loadKeyPair(key)).publicKey,
    use: "client",
    now: clock.now(),
    lifetime: LIFETIME,
  });
  const temporary = `${path}.new`;
  // A left-over of a crash would keep its own mode.
  await Deno.remove(temporary).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  const text = kubeconfigText({ ...options, credential: { certificate, key } });
  await Deno.writeTextFile(temporary, text, { mode: 0o600, createNew: true });
  await Deno.rename(temporary, path);
}

/** The text of a kubeconfig with one cluster, one user and one context. Pure. */
export function kubeconfigText(
  options: { ca: { certificate: string }; server: string; cluster: string; credential: Credential },
): string {
  const { ca, server, cluster, credential } = options;
  const base64 = (text: string): string => new TextEncoder().encode(text).toBase64();
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{
      name: cluster,
      cluster: { server, "certificate-authority-data": base64(ca.certificate) },
    }],
    users: [{
      name: `${cluster}-admin`,
      user: {
        "client-certificate-data": base64(credential.certificate),
        "client-key-data": base64(credential.key),
      },
    }],
    contexts: [{ name: cluster, context: { cluster, user: `${cluster}-admin` } }],
    "current-context": cluster,
  }, { lineWidth: 0 });
}
