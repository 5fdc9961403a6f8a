import type { VirtualClock } from "../../core/base/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { deleteCases } from "./store_delete_cases.ts";
import { listCases } from "./store_list_cases.ts";
import { watchCases } from "./store_watch_cases.ts";
import { writeCases } from "./store_write_cases.ts";

/** A fresh store for one test, empty but for what the implementation itself always holds. */
export interface StoreFixture extends AsyncDisposable {
  /** Objects may be created in its namespaces `a` and `b`. */
  readonly store: Store;
  /** The store's clock when a test may move it; absent for a store on another machine. */
  readonly clock?: VirtualClock;
}

/** One rule that every `Store` keeps. */
export interface StoreCase {
  /** "does X when Y". */
  readonly name: string;
  run(fixture: StoreFixture): Promise<void>;
}

const CASES: readonly StoreCase[] = [...writeCases, ...deleteCases, ...listCases, ...watchCases];

/**
 * Registers the rules of Kubernetes' storage as tests of one `Store` implementation.
 *
 * @param skips cases (by name) that this implementation cannot pass, each with the reason; a name
 * that is no case is a `TypeError`
 */
export function storeConformance(
  name: string,
  make: () => Promise<StoreFixture>,
  skips: Readonly<Record<string, string>> = {},
): void {
  const unknown = Object.keys(skips).filter((skip) => !CASES.some((one) => one.name === skip));
  if (unknown.length > 0) throw new TypeError(`Cannot skip what is no case: ${unknown.join(", ")}`);
  for (const { name: rule, run } of CASES) {
    const reason = skips[rule];
    Deno.test({
      name: `${name} ${rule}${reason === undefined ? "" : ` (skipped: ${reason})`}`,
      ignore: reason !== undefined,
      async fn() {
        await using fixture = await make();
        await run(fixture);
      },
    });
  }
}
