import { type KubeObject, RESOURCES } from "../api/mod.ts";
import { AppError, type Clock, hours, isAppError } from "../base/mod.ts";
import { createKey, type Credential, fingerprintOf, issueCa } from "../pki/mod.ts";
import type { Store } from "../store/mod.ts";
import { ensureSystemNamespace, SYSTEM_NAMESPACE, systemSecret } from "./system.ts";

/** The hub's certificate authority. */
export interface HubCa extends Credential {
  /** SHA-256 of the certificate's DER, lower-case hex: what join tokens pin. */
  readonly fingerprint: string;
}

/** The Secret that holds the CA: type `kubernetes.io/tls`. */
export const CA_SECRET = "skerry-ca";
/** Ten years, as kubeadm's; gateways in the field outlive shorter ones. */
const CA_LIFETIME = hours(10 * 365 * 24);

/**
 * The CA of this store, made on first use. Hubs that start together end with one: whoever creates
 * the Secret first wins, the others read it.
 * @throws {AppError} InternalError when the Secret is there but holds no CA
 */
export async function ensureCa(options: { store: Store; clock: Clock }): Promise<HubCa> {
  const { store, clock } = options;
  try {
    return await readCa(store);
  } catch (error) {
    if (!isAppError(error, "NotFound")) throw error;
  }
  await ensureSystemNamespace(store);
  const key = await createKey();
  const certificate = await issueCa({
    keyPem: key,
    commonName: CA_SECRET,
    now: clock.now(),
    lifetime: CA_LIFETIME,
  });
  try {
    await store.create(RESOURCES.secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: CA_SECRET, namespace: SYSTEM_NAMESPACE },
      type: "kubernetes.io/tls",
      data: { "tls.crt": base64(certificate), "tls.key": base64(key) },
    });
  } catch (error) {
    if (!isAppError(error, "AlreadyExists")) throw error;
  }
  return await readCa(store);
}

/**
 * The CA that a hub has made in this store.
 * @throws {AppError} NotFound; InternalError when the Secret is there but holds no CA
 */
export async function readCa(store: Pick<Store, "get">): Promise<HubCa> {
  return caOf(await store.get(systemSecret(CA_SECRET)));
}

function caOf(secret: KubeObject): HubCa {
  try {
    const certificate = text(secret.data?.["tls.crt"]);
    return {
      certificate,
      key: text(secret.data?.["tls.key"]),
      fingerprint: fingerprintOf(certificate),
    };
  } catch (cause) {
    throw new AppError(
      "InternalError",
      `secret ${SYSTEM_NAMESPACE}/${CA_SECRET} holds no CA: restore tls.crt and tls.key from a ` +
        "copy, because a new CA shuts out every node that has joined",
      { cause },
    );
  }
}

function base64(value: string): string {
  return new TextEncoder().encode(value).toBase64();
}

function text(value: string | undefined): string {
  return new TextDecoder().decode(Uint8Array.fromBase64(value ?? ""));
}
