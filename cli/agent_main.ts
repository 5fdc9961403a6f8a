/** Where `deno task bundle` puts the agent as one file, from the project's root. */
export const BUNDLE = "bundle/agent.js";
/** Says of which sources it was made. */
export const STAMP = "bundle/agent.stamp";

/** What the agent is made of; nothing else may be imported by it. */
const SOURCES = ["agent", "core", "deno.json", "deno.lock"];

/**
 * The file to run as the agent: all of it in one, where that was made of these very sources, as it
 * takes 13 MiB less (docs/decisions/011-agent-memory.md); `agent/main.ts` otherwise.
 *
 * @param root absolute path of the project
 */
export async function agentMain(root: string): Promise<string> {
  const stamp = await readText(`${root}/${STAMP}`);
  if (stamp !== undefined && stamp === await sourceStamp(root)) return `${root}/${BUNDLE}`;
  return `${root}/agent/main.ts`;
}

/** A digest of all sources of the agent and of Deno's version. */
export async function sourceStamp(root: string): Promise<string> {
  const paths: string[] = [];
  for (const source of SOURCES) await collect(root, source, paths);
  const lines = [Deno.version.deno];
  for (const path of paths.toSorted()) {
    lines.push(`${path} ${await digest(await Deno.readFile(`${root}/${path}`))}`);
  }
  return await digest(new TextEncoder().encode(lines.join("\n")));
}

async function collect(root: string, path: string, into: string[]): Promise<void> {
  const { isDirectory } = await Deno.stat(`${root}/${path}`);
  if (!isDirectory) return void into.push(path);
  for await (const { name, isDirectory } of Deno.readDir(`${root}/${path}`)) {
    if (isDirectory) await collect(root, `${path}/${name}`, into);
    else if (name.endsWith(".ts") && !name.endsWith("_test.ts")) into.push(`${path}/${name}`);
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
