// Keeps the readings that matter: takes lines `sensor,value` and answers with those whose value is
// above THRESHOLD, so that a gateway sends less over a thin link. AssemblyScript, not TypeScript.

import { Request, respond } from "./envelope";
import { env, log } from "./host";

/** Room for the request. */
export function alloc(size: u32): usize {
  return heap.alloc(size);
}

/** Answers one request. */
export function handle(at: usize, _size: u32): u64 {
  const request = new Request(at);
  if (request.method != "POST") return respond(405, "text/plain", "send readings with POST\n");
  const threshold = parseFloat(env("THRESHOLD", "30"));
  if (isNaN(threshold)) return respond(500, "text/plain", "THRESHOLD is no number\n");
  const lines = request.body.split("\n");
  const kept: string[] = [];
  let bad = 0;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i].trim();
    if (line.length == 0) continue;
    const comma = line.indexOf(",");
    const value = comma < 0 ? NaN : parseFloat(line.substring(comma + 1));
    if (isNaN(value)) bad++;
    else if (value > threshold) kept.push(line);
  }
  if (bad > 0) log(bad.toString() + " lines were no readings");
  return respond(200, "text/csv", kept.length == 0 ? "" : kept.join("\n") + "\n");
}
