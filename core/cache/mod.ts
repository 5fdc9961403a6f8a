/** The cache room: a frozen, indexed view of one resource, kept up to date by a watch. */
export { classify, type Recovery } from "./classify.ts";
export { Informer, type InformerOptions } from "./informer.ts";
export { type InformerHandler, isOlder } from "./picture.ts";
export { type ObjectIndex, objectKey, type ObjectView } from "./view.ts";
