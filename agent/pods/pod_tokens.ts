import type { KubeObject, Pod, ResourceDef } from "../../core/api/mod.ts";
import { hours, type Ms } from "../../core/base/mod.ts";
import type { LocalStore, Tx } from "../../core/store/mod.ts";

/** A token of a pod's service account that a volume of the pod asks for. */
export interface TokenSource {
  /** `""` for the API server's own. */
  readonly audience: string;
  readonly expirationSeconds: number;
}

/** A token as it is kept, for when the hub is away. */
export interface PodToken {
  readonly token: string;
  /** Wall clock. */
  readonly issuedAt: Ms;
  readonly expiresAt: Ms;
  /** The one before, as long as it is good: a program may not have read its file again. */
  readonly previous?: { readonly token: string; readonly expiresAt: Ms };
}

/** An hour, Kubernetes' default. */
const DEFAULT_SECONDS = 3600;
/** A token is refreshed after this share of its life, or a day: as a kubelet does. */
const REFRESH_SHARE = 0.8;
const REFRESH_AFTER = hours(24);

/** The kind under which tokens stand in this node's own store, sealed; nobody serves it. */
const TOKENS: ResourceDef = {
  group: "skerry.dev",
  version: "v1alpha1",
  plural: "podtokens",
  singular: "podtoken",
  kind: "PodToken",
  shortNames: [],
  categories: [],
  namespaced: true,
  hasStatus: false,
};

/** Reads the `serviceAccountToken` source of a projected volume; `undefined` for other sources. */
export function tokenSource(source: Readonly<Record<string, unknown>>): TokenSource | undefined {
  const asked = source["serviceAccountToken"] as
    | { audience?: unknown; expirationSeconds?: unknown }
    | undefined;
  if (typeof asked !== "object" || asked === null) return undefined;
  const { audience, expirationSeconds } = asked;
  return {
    audience: typeof audience === "string" ? audience : "",
    expirationSeconds: typeof expirationSeconds === "number" ? expirationSeconds : DEFAULT_SECONDS,
  };
}

/** Tells the tokens of one pod apart. */
export function tokenKey({ audience, expirationSeconds }: TokenSource): string {
  return `${expirationSeconds}/${audience}`;
}

/** The tokens that a pod's volumes ask for, each once. */
export function tokenSources(pod: Pod): TokenSource[] {
  const found = new Map<string, TokenSource>();
  for (const volume of pod.spec.volumes ?? []) {
    for (const one of (volume.projected?.sources ?? []) as Record<string, unknown>[]) {
      const source = tokenSource(one);
      if (source) found.set(tokenKey(source), source);
    }
  }
  return [...found.values()];
}

/** When a token is to be replaced. */
export function refreshTime({ issuedAt, expiresAt }: PodToken): Ms {
  const share = issuedAt + (expiresAt - issuedAt) * REFRESH_SHARE;
  return Math.min(share, issuedAt + REFRESH_AFTER) as Ms;
}

/** The token that is kept for a pod. */
export function readToken(tx: Tx, pod: Pod, source: TokenSource): PodToken | undefined {
  const found = tx.get({ resource: TOKENS, ...placeOf(pod, source) });
  return found?.["spec"] as PodToken | undefined;
}

/** Keeps a token, and the one that it replaces. */
export function writeToken(
  store: LocalStore,
  pod: Pod,
  source: TokenSource,
  made: Omit<PodToken, "previous">,
): void {
  store.transact((tx) => {
    const old = readToken(tx, pod, source);
    const { token, expiresAt } = old ?? { token: made.token, expiresAt: made.expiresAt };
    const previous = token === made.token ? {} : { previous: { token, expiresAt } };
    const object: KubeObject = {
      apiVersion: "skerry.dev/v1alpha1",
      kind: TOKENS.kind,
      metadata: placeOf(pod, source),
      spec: { ...made, ...previous },
    };
    tx.put(TOKENS, object);
  });
}

/** How many tokens are kept. */
export function countTokens(store: LocalStore): number {
  return store.transact((tx) => tx.list(TOKENS)).length;
}

/** Forgets the tokens of all pods but those that `keeps` names; it may ask the store. */
export function pruneTokens(store: LocalStore, keeps: (uid: string) => boolean): void {
  // `keeps` may read the store itself, so it is asked between two transactions.
  const gone = store.transact((tx) => tx.list(TOKENS))
    .filter(({ metadata: { name } }) => !keeps(name.slice(0, name.indexOf("_"))));
  store.transact((tx) => {
    for (const { metadata: { namespace, name } } of gone) {
      tx.purge({ resource: TOKENS, ...(namespace ? { namespace } : {}), name });
    }
  });
}

function placeOf(pod: Pod, source: TokenSource): { namespace: string; name: string } {
  const { namespace = "default", uid = "" } = pod.metadata;
  return { namespace, name: `${uid}_${tokenKey(source)}` };
}
