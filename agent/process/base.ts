import type { Clock, Logger, Random } from "../../core/base/mod.ts";
import type { AgentOptions } from "../../core/parts/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import type { MachineFacts } from "../node/mod.ts";

/** What every piece of the running agent shares. */
export interface Base {
  readonly options: AgentOptions;
  readonly node: string;
  readonly store: LocalStore;
  readonly facts: MachineFacts;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}
