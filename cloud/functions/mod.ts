/** The functions room of the hub: keeps the summaries of functions true as nodes come and go. */
export { createFunctions, type FunctionsOptions } from "./functions.ts";
