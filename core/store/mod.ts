/** The store room: Kubernetes objects with versions and watches, in SQLite or behind an API server. */
export type * from "./local.ts";
export type * from "./store.ts";
