/** What claims paths at the gateway. */
export interface RouteClaim {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Milliseconds since the epoch; the older claim wins. */
  readonly createdAt: number;
  readonly triggers: readonly RouteTrigger[];
}

/** One path of a function. */
export interface RouteTrigger {
  readonly path: string;
  /** Empty: all methods. */
  readonly methods: readonly string[];
  readonly maxBodyBytes: number;
}

/** Where a path leads. */
export interface Route {
  readonly uid: string;
  readonly trigger: RouteTrigger;
}

/** A path that a function asked for and another has. */
export interface RouteConflict {
  readonly path: string;
  /** `namespace/name` of the function that has it. */
  readonly owner: string;
}

/** Which paths lead where, and who got none. */
export interface RoutePlan {
  readonly routes: ReadonlyMap<string, Route>;
  /** By uid of the function that lost. */
  readonly conflicts: ReadonlyMap<string, readonly RouteConflict[]>;
}

/** Gives each path to the oldest function that claims it; equal ages go by namespace, name, uid. */
export function planRoutes(claims: readonly RouteClaim[]): RoutePlan {
  const key = (claim: RouteClaim): string => `${claim.namespace}/${claim.name}/${claim.uid}`;
  const ordered = [...claims].sort((a, b) =>
    a.createdAt - b.createdAt || (key(a) < key(b) ? -1 : 1)
  );
  const routes = new Map<string, Route>();
  const owners = new Map<string, RouteClaim>();
  const conflicts = new Map<string, RouteConflict[]>();
  for (const claim of ordered) {
    for (const trigger of claim.triggers) {
      const owner = owners.get(trigger.path);
      if (owner === undefined) {
        owners.set(trigger.path, claim);
        routes.set(trigger.path, { uid: claim.uid, trigger });
      } else if (owner.uid !== claim.uid) {
        const list = conflicts.get(claim.uid) ?? [];
        list.push({ path: trigger.path, owner: `${owner.namespace}/${owner.name}` });
        conflicts.set(claim.uid, list);
      }
    }
  }
  return { routes, conflicts };
}

/** The route with the longest prefix of whole segments: `/a` matches `/a` and `/a/b`, not `/ab`. */
export function matchRoute(
  routes: ReadonlyMap<string, Route>,
  path: string,
): Route | undefined {
  let end = path.length;
  while (end > 0) {
    const found = routes.get(end === path.length ? path : path.slice(0, end));
    if (found) return found;
    end = path.lastIndexOf("/", end - 1);
  }
  return routes.get("/");
}
