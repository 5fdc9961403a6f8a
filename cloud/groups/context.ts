import type { Clock, Logger, Random } from "../../core/base/mod.ts";
import type { ResourceDef } from "../../core/api/mod.ts";
import type { KindFinder } from "../../core/kube/mod.ts";
import type { Actor, Views } from "../../core/control/mod.ts";
import type { Store } from "../../core/store/mod.ts";

/** What every controller of this room works with. Whoever makes it runs the views. */
export interface GroupsContext {
  readonly store: Store;
  readonly views: Views;
  readonly actor: Actor;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /**
   * Act on EdgeApplications. Off, they are kept as other kinds that nobody acts on, and the store
   * need not allow what they hold: objects of all kinds, Secrets among them. @default {true}
   */
  readonly applications?: boolean;
  /** Finds the kinds that Skerry itself does not know, where an API server does. @default {there are none} */
  readonly kinds?: KindFinder;
  /**
   * Whether a kind that {@linkcode GroupsContext.kinds} has found is served no more. Throws when
   * that cannot be told. @default {never}
   */
  readonly isKindGone?: (resource: ResourceDef, signal: AbortSignal) => Promise<boolean>;
}
