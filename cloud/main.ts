/** The hub's process. Runs with `-P=cloud`. */
import { HUB_OPTIONS, runPart } from "../core/parts/mod.ts";
import { runHub } from "./server/mod.ts";

if (import.meta.main) await runPart("hub", HUB_OPTIONS, runHub);
