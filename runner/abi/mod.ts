/** The guest ABI: what goes in, what comes out, which modules fit. Pure. */
export * from "./cgi.ts";
export * from "./detect.ts";
export * from "./envelope.ts";
