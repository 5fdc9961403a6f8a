import { type KubeObject, RESOURCES } from "../../core/api/mod.ts";
import { AppError } from "../../core/base/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import {
  CA_SECRET,
  decodeRecord,
  type HubCa,
  IDENTITY_LABEL,
  IdentityRecord,
  SYSTEM_NAMESPACE,
} from "../../core/tokens/mod.ts";

const SELECTION = { namespace: SYSTEM_NAMESPACE, labelSelector: `${IDENTITY_LABEL}=true` };

/**
 * Looks once whether the CA is one that nodes have joined by. TLS would refuse every node of another,
 * where nobody who looks at the cluster sees it. One node that knows it is enough: the CA may have
 * been replaced on purpose, with the others still to join again. What counts is its key: issued anew
 * from the same one it verifies all certificates as before.
 *
 * @throws {AppError} InternalError when all nodes that have joined did so by another CA; what the
 * store throws
 */
export async function refuseForeignCa(
  { store, ca }: { readonly store: Pick<Store, "list">; readonly ca: HubCa },
): Promise<void> {
  const { items: [one] } = await store.list(RESOURCES.secrets, { ...SELECTION, limit: 1 });
  if (!one || signerOf(one) === ca.keyId) return;
  const { items } = await store.list(RESOURCES.secrets, SELECTION);
  const signers = items.map(signerOf).filter((signer) => signer !== undefined);
  if (signers.length === 0 || signers.includes(ca.keyId)) return;
  throw new AppError(
    "InternalError",
    `secret ${SYSTEM_NAMESPACE}/${CA_SECRET} holds a CA (${short(ca.keyId)}) by which no ` +
      `node has joined, and ${signers.length} by another (` +
      `${
        [...new Set(signers)].slice(0, 3).map(short).join(", ")
      }): the Secret was replaced while ` +
      "no hub ran, and none of them would be let in. Restore tls.crt and tls.key from a copy. To " +
      "go over to the new CA, and have every node join again: " +
      `kubectl -n ${SYSTEM_NAMESPACE} delete secrets -l ${IDENTITY_LABEL}=true`,
  );
}

/** An identity's `caKey`; `undefined` when it is not known, or the node must join again anyway. */
function signerOf(secret: KubeObject): string | undefined {
  try {
    const { caKey, revoked } = decodeRecord(IdentityRecord, secret, "");
    return revoked ? undefined : caKey;
  } catch {
    // What somebody spoiled tells nothing of the CA; its node is refused with a word of its own.
    return undefined;
  }
}

function short(keyId: string): string {
  return `sha256:${keyId.slice(0, 16)}`;
}
