/** The API room: kinds, objects and the pure rules on them. It starts nothing. */
export * from "./apps.ts";
export * from "./core.ts";
export * from "./field_selectors.ts";
export * from "./node.ts";
export * from "./object.ts";
export * from "./pod.ts";
export * from "./resources.ts";
export * from "./selector_parser.ts";
export * from "./selectors.ts";
