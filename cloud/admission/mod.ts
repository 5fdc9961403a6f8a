/** The admission room: pods that are to stay on nodes which cannot be reached get the tolerations. */
export * from "./autonomy.ts";
export * from "./handler.ts";
export * from "./webhook_config.ts";
