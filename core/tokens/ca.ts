import { createPrivateKey, X509Certificate } from "node:crypto";
import { type KubeObject, RESOURCES } from "../api/mod.ts";
import { AppError, type Clock, errorText, hours, isAppError } from "../base/mod.ts";
import { createKey, type Credential, fingerprintOf, issueCa, keyIdOf } from "../pki/mod.ts";
import type { Store } from "../store/mod.ts";
import { ensureSystemNamespace, IDENTITY_LABEL, SYSTEM_NAMESPACE, systemSecret } from "./system.ts";

/** The hub's certificate authority. */
export interface HubCa extends Credential {
  /** SHA-256 of the certificate's DER, lower-case hex: what join tokens pin. */
  readonly fingerprint: string;
  /** SHA-256 of its public key, hex: what certificates that it signed are verified with. */
  readonly keyId: string;
}

/** The Secret that holds the CA: type `kubernetes.io/tls`. */
export const CA_SECRET = "skerry-ca";
/** Ten years, as kubeadm's; gateways in the field outlive shorter ones. */
const CA_LIFETIME = hours(10 * 365 * 24);

/**
 * The CA of this store, made on first use. Hubs that start together end with one: whoever creates
 * the Secret first wins, the others read it.
 * @throws {AppError} InternalError when the Secret is there but holds no CA, or is not and nodes have
 * joined by the one that it held
 */
export async function ensureCa(options: { store: Store; clock: Clock }): Promise<HubCa> {
  const { store, clock } = options;
  try {
    return await readCa(store);
  } catch (error) {
    if (!isAppError(error, "NotFound")) throw error;
  }
  await refuseIfJoined(store);
  await ensureSystemNamespace(store);
  const key = await createKey();
  const certificate = await issueCa({
    keyPem: key,
    commonName: CA_SECRET,
    now: clock.now(),
    lifetime: CA_LIFETIME,
  });
  await writeCa(store, { certificate, key });
  return await readCa(store);
}

/** Puts a CA where there is none. Returns whether it was this one's turn. */
export async function writeCa(
  store: Pick<Store, "create">,
  { certificate, key }: Credential,
): Promise<boolean> {
  try {
    await store.create(RESOURCES.secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: CA_SECRET, namespace: SYSTEM_NAMESPACE },
      type: "kubernetes.io/tls",
      data: { "tls.crt": base64(certificate), "tls.key": base64(key) },
    });
    return true;
  } catch (error) {
    if (!isAppError(error, "AlreadyExists")) throw error;
    return false;
  }
}

/** A new CA is for a hub that no node has joined: all others it would shut out. */
async function refuseIfJoined(store: Store): Promise<void> {
  const { items: [one] } = await store.list(RESOURCES.secrets, {
    namespace: SYSTEM_NAMESPACE,
    labelSelector: `${IDENTITY_LABEL}=true`,
    limit: 1,
  });
  if (!one) return;
  throw new AppError(
    "InternalError",
    `secret ${SYSTEM_NAMESPACE}/${CA_SECRET} is gone, but nodes have joined by the CA that it held ` +
      `(${one.metadata.name}): restore it from a copy. To begin anew, and have every node join ` +
      `again: kubectl -n ${SYSTEM_NAMESPACE} delete secrets -l ${IDENTITY_LABEL}=true`,
  );
}

/**
 * The CA that a hub has made in this store.
 * @throws {AppError} NotFound; InternalError when the Secret is there but holds no CA
 */
export async function readCa(store: Pick<Store, "get">): Promise<HubCa> {
  return caOf(await store.get(systemSecret(CA_SECRET)));
}

/**
 * The CA that a Secret holds.
 * @throws {AppError} InternalError when it holds none, or one whose key is another's
 */
export function caOf(secret: KubeObject): HubCa {
  try {
    const certificate = text(secret.data?.["tls.crt"]);
    const key = text(secret.data?.["tls.key"]);
    const parsed = new X509Certificate(certificate);
    if (!parsed.ca) throw new TypeError("tls.crt is no certificate of a CA");
    if (!parsed.checkPrivateKey(createPrivateKey(key))) {
      throw new TypeError("tls.key is not the key of tls.crt");
    }
    return {
      certificate,
      key,
      fingerprint: fingerprintOf(certificate),
      keyId: keyIdOf(certificate),
    };
  } catch (cause) {
    throw new AppError(
      "InternalError",
      `secret ${SYSTEM_NAMESPACE}/${CA_SECRET} holds no CA (${errorText(cause)}): restore ` +
        "tls.crt and tls.key from a copy, or delete the Secret while another hub still runs, which " +
        "then puts it back. To begin with a new CA, and have every node join again: kubectl -n " +
        `${SYSTEM_NAMESPACE} delete secrets ${CA_SECRET} && kubectl -n ${SYSTEM_NAMESPACE} delete ` +
        `secrets -l ${IDENTITY_LABEL}=true`,
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
