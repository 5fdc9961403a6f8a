/**
 * CustomResourceDefinitions out of the schemas in `core/api`. Not exported by `core/api/mod.ts`: import
 * it where it is used, so that agents never load it.
 */
export { crdOf, customSchema } from "./crd.ts";
export { type StructuralSchema, structuralSchema } from "./structural.ts";
