/** The functions of a node and how they are called. */
export * from "./caller.ts";
export * from "./functions.ts";
export * from "./gate.ts";
export * from "./loaded.ts";
