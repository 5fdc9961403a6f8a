/** The API room: kinds, objects and the pure rules on them. It starts nothing. */
export * from "./apps.ts";
export * from "./core.ts";
export * from "./field_selectors.ts";
export * from "./node.ts";
export * from "./object.ts";
export * from "./patch/mod.ts";
export * from "./paths.ts";
export * from "./pod.ts";
export * from "./pod_log.ts";
export * from "./quantity.ts";
export * from "./resources.ts";
export * from "./selector_parser.ts";
export * from "./selectors.ts";
export * from "./validate/mod.ts";
export * from "./wasm_function.ts";
export * from "./wasm_status.ts";
export * from "./wasm_units.ts";
