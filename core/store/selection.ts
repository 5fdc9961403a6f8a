import {
  type KubeObject,
  matchFields,
  matchLabels,
  parseFieldSelector,
  parseLabelSelector,
} from "../api/mod.ts";
import type { Selection } from "./store.ts";

/** Whether an object belongs to a selection. */
export type Predicate = (object: KubeObject) => boolean;

/**
 * Compiles a selection; `undefined` when it takes every object.
 *
 * @throws {AppError} BadRequest when a selector cannot be read
 */
export function compileSelection(selection: Selection): Predicate | undefined {
  const labels = parseLabelSelector(selection.labelSelector ?? "");
  const fields = parseFieldSelector(selection.fieldSelector ?? "");
  const { namespace } = selection;
  if (!namespace && labels.length === 0 && fields.length === 0) return undefined;
  return (object) =>
    (!namespace || object.metadata.namespace === namespace) &&
    matchLabels(labels, object.metadata.labels) && matchFields(fields, object);
}
