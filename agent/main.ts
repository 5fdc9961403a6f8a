/** The agent's process. Runs with `-P=agent`. */
import { AGENT_OPTIONS, runPart } from "../core/parts/mod.ts";
import { runAgent } from "./process/mod.ts";

if (import.meta.main) await runPart("agent", AGENT_OPTIONS, runAgent);
