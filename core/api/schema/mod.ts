import type { KubeObject, ResourceDef } from "../object.ts";

/** What a check of an object's fields found. */
export interface FieldReport {
  /** Paths of fields that the kind does not have. */
  readonly unknown: string[];
  /** Fields with a value of the wrong type, as sentences. */
  readonly wrong: string[];
}

export function checkFields(_resource: ResourceDef, _object: KubeObject): FieldReport {
  return { unknown: [], wrong: [] };
}
