/** Patches of objects: JSON patch, JSON merge patch, strategic merge patch. Pure. */
export * from "./json_patch.ts";
export * from "./json_value.ts";
export * from "./merge_keys.ts";
export * from "./merge_patch.ts";
export * from "./strategic.ts";
