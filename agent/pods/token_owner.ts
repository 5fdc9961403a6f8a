import { createHash, timingSafeEqual } from "node:crypto";
import { type Pod, RESOURCES } from "../../core/api/mod.ts";
import type { Ms } from "../../core/base/mod.ts";
import type { User } from "../../core/http/mod.ts";
import type { LocalStore, Tx } from "../../core/store/mod.ts";
import { type PodToken, readToken, tokenSources } from "./pod_tokens.ts";

/** A service account. */
export interface Account {
  readonly namespace: string;
  readonly name: string;
}

/** Who a good token belongs to. */
export interface TokenOwner {
  readonly account: Account;
  readonly pod: { readonly uid: string; readonly name: string };
  /** As the API server names the holder of this token. */
  readonly user: User;
}

/** When and where a token is judged. */
export interface TokenScope {
  /** This node's name. */
  readonly node: string;
  /** Wall clock. */
  readonly now: Ms;
  /** Whether the hub could have renewed it: if not, one that has expired is good further. */
  readonly linked: boolean;
}

/**
 * Whose token this is: one for the API server that this node fetched for a pod that is here now.
 * What the token says of itself only tells where to look: good is what is the same, byte for byte.
 */
export function tokenOwner(
  store: LocalStore,
  token: string,
  scope: TokenScope,
): TokenOwner | undefined {
  const claims = claimsOf(token);
  if (!claims) return undefined;
  const { namespace, podName, podUid } = claims;
  const found = store.transact((tx) => {
    const pod = tx.get({ resource: RESOURCES.pods, namespace, name: podName }) as Pod | undefined;
    const here = pod?.metadata.uid === podUid && pod.spec.nodeName === scope.node;
    return here && apiTokens(tx, pod).some((kept) => isGood(token, kept, scope)) ? pod : undefined;
  });
  if (!found) return undefined;
  const account = accountOf(found);
  return { account, pod: { uid: podUid, name: podName }, user: userOf(account, claims) };
}

/** A token for the API server of each service account that pods of this node have. */
export function accountTokens(
  store: LocalStore,
  node: string,
): { readonly account: Account; readonly token: string }[] {
  return store.transact((tx) => {
    const found = new Map<string, { account: Account; token: string; issuedAt: Ms }>();
    for (const pod of tx.list(RESOURCES.pods) as Pod[]) {
      if (pod.spec.nodeName !== node) continue;
      const account = accountOf(pod);
      const key = `${account.namespace}/${account.name}`;
      for (const { token, issuedAt } of apiTokens(tx, pod)) {
        if (issuedAt > (found.get(key)?.issuedAt ?? -1)) {
          found.set(key, { account, token, issuedAt });
        }
      }
    }
    return [...found.values()];
  });
}

function apiTokens(tx: Tx, pod: Pod): PodToken[] {
  return tokenSources(pod).filter(({ audience }) => audience === "").flatMap((source) =>
    readToken(tx, pod, source) ?? []
  );
}

function isGood(token: string, kept: PodToken, { now, linked }: TokenScope): boolean {
  if (isSame(token, kept.token)) return !linked || now < kept.expiresAt;
  const { previous } = kept;
  return previous !== undefined && isSame(token, previous.token) && now < previous.expiresAt;
}

/** Takes as long for every other token. */
function isSame(a: string, b: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

function accountOf({ metadata, spec }: Pod): Account {
  return { namespace: metadata.namespace ?? "default", name: spec.serviceAccountName ?? "default" };
}

interface Claims {
  readonly namespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly accountUid?: string;
}

/** What a token says of itself, not verified. */
function claimsOf(token: string): Claims | undefined {
  const [, payload = "", signature] = token.split(".");
  if (signature === undefined) return undefined;
  try {
    const bytes = Uint8Array.fromBase64(payload, { alphabet: "base64url" });
    const { "kubernetes.io": of } = JSON.parse(new TextDecoder().decode(bytes));
    const { namespace, pod: { name: podName, uid: podUid }, serviceaccount } = of;
    if (![namespace, podName, podUid].every((text) => typeof text === "string")) return undefined;
    const uid: unknown = serviceaccount?.uid;
    return { namespace, podName, podUid, ...(typeof uid === "string" ? { accountUid: uid } : {}) };
  } catch {
    return undefined; // No token of a service account that is bound to a pod.
  }
}

function userOf({ namespace, name }: Account, { podName, podUid, accountUid }: Claims): User {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    ...(accountUid === undefined ? {} : { uid: accountUid }),
    groups: [
      "system:serviceaccounts",
      `system:serviceaccounts:${namespace}`,
      "system:authenticated",
    ],
    extra: {
      "authentication.kubernetes.io/pod-name": [podName],
      "authentication.kubernetes.io/pod-uid": [podUid],
    },
  };
}
