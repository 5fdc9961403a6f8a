import { groupResource, type ResourceDef } from "../api/mod.ts";
import type { ResourceRoute } from "./routes.ts";

interface Entry {
  readonly resource: ResourceDef;
  readonly subresource: string;
  readonly verbs: readonly string[];
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
}

/** The media type of aggregated discovery. */
export const AGGREGATED_TYPE =
  "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/** The answers to discovery, made from the routes themselves so that they never promise too much. */
export class Discovery {
  readonly #entries: readonly Entry[];

  constructor(routes: readonly ResourceRoute[]) {
    const byKey = new Map<string, { route: ResourceRoute; verbs: Set<string> }>();
    for (const route of routes) {
      const key = `${groupResource(route.resource)}/${route.subresource}`;
      const known = byKey.get(key);
      if (known) known.verbs.add(route.verb);
      else byKey.set(key, { route, verbs: new Set([route.verb]) });
    }
    this.#entries = [...byKey.values()].map(({ route, verbs }) => ({
      resource: route.resource,
      subresource: route.subresource,
      verbs: [...verbs].sort(),
      kind: route.answers ?? route.resource,
    }));
  }

  /** Group -> versions, the core group first. */
  groups(): Map<string, string[]> {
    const out = new Map<string, string[]>();
    for (const { resource: { group, version } } of this.#entries) {
      const versions = out.get(group) ?? [];
      if (!versions.includes(version)) versions.push(version);
      out.set(group, versions);
    }
    return out;
  }

  /** `/api`. */
  apiVersions(): unknown {
    return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
  }

  /** `/apis`. */
  groupList(): unknown {
    const groups = [...this.groups().keys()].filter((group) => group !== "");
    return { kind: "APIGroupList", apiVersion: "v1", groups: groups.map((one) => this.group(one)) };
  }

  /** `/apis/GROUP`, or `undefined` when there is none. */
  group(name: string): unknown {
    const versions = this.groups().get(name)?.map((version) => ({
      groupVersion: `${name}/${version}`,
      version,
    }));
    if (name === "" || !versions) return undefined;
    return { kind: "APIGroup", apiVersion: "v1", name, versions, preferredVersion: versions[0] };
  }

  /** `/api/v1` and `/apis/GROUP/VERSION`, or `undefined` when there is none. */
  resourceList(group: string, version: string): unknown {
    const entries = this.#of(group, version);
    if (entries.length === 0) return undefined;
    return {
      kind: "APIResourceList",
      apiVersion: "v1",
      groupVersion: group === "" ? version : `${group}/${version}`,
      resources: entries.map(({ resource, subresource, verbs, kind }) => ({
        name: subresource === "" ? resource.plural : `${resource.plural}/${subresource}`,
        singularName: subresource === "" ? resource.singular : "",
        namespaced: resource.namespaced,
        kind: kind.kind,
        ...(kind.group === resource.group ? {} : { group: kind.group, version: kind.version }),
        verbs,
        ...(subresource === "" && resource.shortNames.length > 0
          ? { shortNames: resource.shortNames }
          : {}),
        ...(subresource === "" && resource.categories.length > 0
          ? { categories: resource.categories }
          : {}),
      })),
    };
  }

  /** Aggregated discovery (KEP-3352) of `/api` or `/apis`. */
  aggregated(root: "api" | "apis"): unknown {
    const groups = [...this.groups()].filter(([group]) => (group === "") === (root === "api"));
    return {
      kind: "APIGroupDiscoveryList",
      apiVersion: "apidiscovery.k8s.io/v2",
      metadata: {},
      items: groups.map(([group, versions]) => ({
        metadata: group === "" ? {} : { name: group },
        versions: versions.map((version) => ({
          version,
          freshness: "Current",
          resources: this.#of(group, version)
            .filter((entry) => entry.subresource === "")
            .map((entry) => this.#aggregatedResource(entry)),
        })),
      })),
    };
  }

  #aggregatedResource({ resource, verbs }: Entry): unknown {
    const { group, version, kind } = resource;
    const subresources = this.#of(group, version)
      .filter((entry) => entry.subresource !== "" && entry.resource.plural === resource.plural)
      .map((entry) => ({
        subresource: entry.subresource,
        responseKind: {
          group: entry.kind.group,
          version: entry.kind.version,
          kind: entry.kind.kind,
        },
        verbs: entry.verbs,
      }));
    return {
      resource: resource.plural,
      responseKind: { group, version, kind },
      scope: resource.namespaced ? "Namespaced" : "Cluster",
      singularResource: resource.singular,
      verbs,
      ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
      ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
      ...(subresources.length > 0 ? { subresources } : {}),
    };
  }

  #of(group: string, version: string): Entry[] {
    return this.#entries.filter(({ resource }) =>
      resource.group === group && resource.version === version
    );
  }
}
