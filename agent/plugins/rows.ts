import { AppError } from "../../core/base/mod.ts";
import type { LocalStore } from "../../core/store/mod.ts";
import { DEVICE_SPACE, type DeviceGrant } from "../pods/mod.ts";

/** What one container has. */
export interface Allotment {
  readonly devices: readonly {
    readonly resource: string;
    readonly ids: readonly string[];
    /** Its plugin wants to hear of every run before it begins. */
    readonly preStart: boolean;
  }[];
  readonly grant: DeviceGrant;
}

/** The row of a pod. */
export interface DeviceRow {
  readonly version: 1;
  readonly containers: Readonly<Record<string, Allotment>>;
}

/** A plugin that answers more than this for one pod is refused. Bytes of JSON. */
const MAX_ROW = 256 * 1024;

/** What a pod has; `undefined` for nothing. @throws {AppError} Unsupported for a newer version's row */
export function readRow(store: LocalStore, uid: string): DeviceRow | undefined {
  const row = store.transact((tx) => tx.row(DEVICE_SPACE, uid));
  return row && parseRow(uid, row.value);
}

/** Remembers what a pod has. @throws {AppError} RequestEntityTooLarge */
export function writeRow(store: LocalStore, uid: string, row: DeviceRow): void {
  const text = JSON.stringify(row);
  if (text.length > MAX_ROW) {
    throw new AppError(
      "RequestEntityTooLarge",
      `the device plugins answered ${text.length} bytes for one pod; at most ${MAX_ROW} are kept`,
    );
  }
  store.transact((tx) => tx.putRow(DEVICE_SPACE, uid, text));
}

/** The devices of a resource that pods have. */
export function usedDevices(store: LocalStore, resource: string): Set<string> {
  const rows = store.transact((tx) => tx.rows(DEVICE_SPACE));
  const used = new Set<string>();
  for (const { key, value } of rows) {
    for (const { devices } of Object.values(parseRow(key, value).containers)) {
      for (const one of devices) {
        if (one.resource === resource) { for (const id of one.ids) used.add(id); }
      }
    }
  }
  return used;
}

function parseRow(uid: string, text: string): DeviceRow {
  const row = JSON.parse(text) as Partial<DeviceRow>;
  if (row.version === 1) return row as DeviceRow;
  throw new AppError(
    "Unsupported",
    `The devices of pod ${uid} have version ${row.version}; this build reads version 1: ` +
      "start the build that wrote it",
  );
}
