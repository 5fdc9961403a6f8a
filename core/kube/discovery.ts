import { type ResourceDef, splitApiVersion } from "../api/mod.ts";
import { type Clock, isAppError, type Ms, seconds } from "../base/mod.ts";
import type { KubeClient } from "./client.ts";
import { GROUPS, KINDS, type Shape } from "./shapes.ts";

/** Finds kinds that a server serves. Throws what the server answers but `NotFound`, which is a "no". */
export interface KindFinder {
  /** A kind in the version that an object names; `undefined` when it is not served so. */
  find(apiVersion: string, kind: string): Promise<ResourceDef | undefined>;
  /**
   * A kind in the version that the server prefers: of those of its group that have it the first, in
   * the server's own order. `undefined` when none has.
   */
  prefer(group: string, kind: string): Promise<ResourceDef | undefined>;
}

/** Verbs without which objects of a kind cannot be kept. */
const VERBS = ["get", "list", "watch", "create", "patch", "delete"];
/** What a server serves changes with its CRDs: an answer is good for so long, a "no" too. */
const MAX_AGE = seconds(20);

/**
 * The kinds of an API server whose objects can be made, watched and removed, by its discovery.
 */
export function kindDiscovery(
  { client, clock }: { readonly client: Pick<KubeClient, "call">; readonly clock: Clock },
): KindFinder {
  const groups = remembered(clock, () => readGroups(client));
  const kinds = remembered(clock, (apiVersion) => readKinds(client, apiVersion));
  const versionsOf = async (group: string): Promise<readonly string[]> =>
    group === "" ? ["v1"] : (await groups("")).get(group) ?? [];
  const find = async (apiVersion: string, kind: string): Promise<ResourceDef | undefined> => {
    if (apiVersion.startsWith("/")) return undefined;
    const { group, version } = splitApiVersion(apiVersion);
    const served = await versionsOf(group);
    // To who asks for what it does not serve a server answers with no words of Kubernetes.
    if (!served.includes(version)) return undefined;
    return (await kinds(apiVersion)).find((one) => one.kind === kind);
  };
  return {
    find,
    async prefer(group, kind) {
      for (const version of await versionsOf(group)) {
        const found = await find(group ? `${group}/${version}` : version, kind);
        if (found) return found;
      }
      return undefined;
    },
  };
}

/** Answers of `read`, each kept for {@linkcode MAX_AGE}; a failure is not kept. */
function remembered<T>(
  clock: Clock,
  read: (key: string) => Promise<T>,
): (key: string) => Promise<T> {
  const known = new Map<string, { readonly at: Ms; readonly answer: Promise<T> }>();
  return async (key) => {
    const now = clock.monotonic();
    for (const [other, { at }] of known) if (now - at >= MAX_AGE) known.delete(other);
    let found = known.get(key);
    if (!found) {
      found = { at: now, answer: read(key) };
      found.answer.catch(() => known.delete(key));
      known.set(key, found);
    }
    return await found.answer;
  };
}

/**
 * Whether a server serves a kind no more, by what it says of itself: its answer to whoever asks for
 * such a kind is a bare 404, which as well a proxy can give.
 *
 * @throws {AppError} when it cannot be asked
 * @throws the reason of `signal`
 */
export async function isKindGone(
  client: Pick<KubeClient, "call">,
  { group, version, plural }: Pick<ResourceDef, "group" | "version" | "plural">,
  signal: AbortSignal,
): Promise<boolean> {
  if (group === "") return false;
  const get = (path: string, shape: Shape) => client.call({ method: "GET", path, shape, signal });
  const { groups }: { groups: ServedGroup[] } = await get("/apis", GROUPS);
  const served = groups.find(({ name }) => name === group);
  if (!served?.versions?.some((one) => one.version === version)) return true;
  const path = `/apis/${group}/${version}`;
  const { resources }: { resources: Served[] | null } = await get(path, KINDS);
  return resources !== null && !resources.some(({ name }) => name === plural);
}

interface ServedGroup {
  readonly name: string;
  readonly versions?: readonly { readonly version: string }[];
  readonly preferredVersion?: { readonly version: string };
}

async function readKinds(
  client: Pick<KubeClient, "call">,
  apiVersion: string,
): Promise<ResourceDef[]> {
  const path = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  try {
    const { resources } = await client.call({ method: "GET", path, shape: KINDS });
    return readResources(apiVersion, resources ?? []);
  } catch (error) {
    if (isAppError(error, "NotFound")) return [];
    throw error;
  }
}

/** The versions of every group, the preferred one first. */
async function readGroups(client: Pick<KubeClient, "call">): Promise<Map<string, string[]>> {
  const { groups }: { groups: ServedGroup[] } = await client.call({
    method: "GET",
    path: "/apis",
    shape: GROUPS,
  });
  return new Map(groups.map(({ name, ...group }) => {
    const first = group.preferredVersion?.version;
    const all = (group.versions ?? []).map(({ version }) => version);
    return [name, first === undefined ? all : [first, ...all.filter((one) => one !== first)]];
  }));
}

interface Served {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

function readResources(apiVersion: string, served: readonly Served[]): ResourceDef[] {
  const names = new Set(served.map(({ name }) => name));
  return served
    .filter(({ name, verbs }) =>
      !name.includes("/") && VERBS.every((verb) => verbs?.includes(verb))
    )
    .map(({ name, kind, namespaced }) => ({
      ...splitApiVersion(apiVersion),
      plural: name,
      singular: kind.toLowerCase(),
      kind,
      shortNames: [],
      categories: [],
      namespaced,
      hasStatus: names.has(`${name}/status`),
    }));
}
