/** The process room of the agent: puts the other rooms together. */
export { runAgent } from "./run_agent.ts";
