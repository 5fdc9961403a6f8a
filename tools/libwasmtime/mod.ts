/** Set-up of libwasmtime: fetches the pinned library. */
export * from "./ensure.ts";
