import { type Clock, hours } from "../../core/base/mod.ts";
import {
  createKey,
  issueCertificate,
  kubeconfigText,
  loadKeyPair,
  MASTERS_GROUP,
} from "../../core/pki/mod.ts";
import type { HubCa } from "../../core/tokens/mod.ts";

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
