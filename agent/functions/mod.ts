/** The functions room of the agent: finds modules, gives them to the runner, reports how they stand. */
export { FunctionManager, type FunctionManagerOptions } from "./manager.ts";
export { StaticFunctions, type StaticFunctionsOptions } from "./static_functions.ts";
