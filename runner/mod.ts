/** The runner room: WASM functions behind an HTTP gateway, told what to serve over a unix socket. */
export * from "./runner.ts";
export { loadLibrary, watToWasm } from "./engine/mod.ts";
