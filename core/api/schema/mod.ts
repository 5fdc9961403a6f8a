/**
 * Schemas of Kubernetes' own kinds: field checks, protobuf and OpenAPI are made from them. Not
 * exported by `core/api/mod.ts`: import it where it is used, so that readers never load it.
 */
export { checkFields, type FieldReport } from "./check.ts";
export type { FieldSchema, TypeRef, TypeSchema } from "./parse.ts";
export { decodeKubeProtobuf } from "./protobuf.ts";
export { schemaTypes, typeOfKind } from "./types.ts";
