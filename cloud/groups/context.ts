import type { Clock, Logger, Random } from "../../core/base/mod.ts";
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
}
