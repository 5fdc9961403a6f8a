/** The gateway: HTTP requests in, functions' answers out. */
export * from "./answers.ts";
export * from "./body.ts";
export * from "./body_reader.ts";
export * from "./gateway.ts";
export * from "./routes.ts";
