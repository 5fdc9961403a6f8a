/** The API room: kinds, objects and the pure rules on them. It starts nothing. */
export * from "./node.ts";
export * from "./object.ts";
export * from "./pod.ts";
export * from "./resources.ts";
