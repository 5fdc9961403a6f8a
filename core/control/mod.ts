/**
 * The control room: live views of kinds, controllers that work on keys, and plans that say what to
 * change. A controller's rule is pure (parent and observed children in, {@linkcode Action}s out);
 * this room has the effects.
 */
export * from "./actions.ts";
export * from "./canonical_json.ts";
export * from "./controller.ts";
export * from "./json_equal.ts";
export * from "./keys.ts";
export * from "./view.ts";
export * from "./views.ts";
