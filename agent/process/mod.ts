/** The process room of the agent: puts the other rooms together. */
export { runAgent } from "./run_agent.ts";
export { addAgentMetrics, type AgentMetricsOptions } from "./agent_metrics.ts";
