import type { Tx } from "../../core/store/mod.ts";

/** Side table: UIDs of functions whose end was said explicitly on this node. */
const GONE_SPACE = "function-gone";

/**
 * Notes, in the transaction that removes its object, that a function was explicitly ended: without
 * this the runner goes on serving a function that a store which has not synced does not show.
 */
export function buryFunction(tx: Tx, uid: string): void {
  tx.putRow(GONE_SPACE, uid, "");
}

/** Takes {@linkcode buryFunction} back: the function is there again, or its end is done. */
export function digUpFunction(tx: Tx, uid: string): void {
  tx.deleteRow(GONE_SPACE, uid);
}

/** UIDs of the functions that are to end. */
export function buriedFunctions(tx: Tx): string[] {
  return tx.rows(GONE_SPACE).map(({ key }) => key);
}
