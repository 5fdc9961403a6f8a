import { loadIdentity } from "../../core/join/mod.ts";
import { readCertificate } from "../../core/pki/mod.ts";
import type { CheckContext } from "../check/mod.ts";
import { loadAddresses, loadDisk } from "../node/mod.ts";
import { findMemoryDir } from "../pods/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";
import type { Base } from "./base.ts";

/** What `skerry check` looks at, out of the pieces of the running agent. */
export function checkContext(
  base: Base,
  parts: {
    readonly runtime: Runtime | undefined;
    readonly services: CheckContext["services"];
    readonly engine: () => string | undefined;
    readonly strays: CheckContext["strays"];
    /** Absent for a node that runs alone. */
    readonly link: CheckContext["link"];
  },
): CheckContext {
  const { options, facts, node, clock } = base;
  const stateDir = options["state-dir"];
  return {
    options,
    node,
    clock,
    // Addresses come and go; the rest of a machine stays.
    get machine() {
      return { ...facts, addresses: loadAddresses() };
    },
    runtime: parts.runtime,
    memoryDir: () => findMemoryDir(options["memory-dir"], { node, stateDir }),
    disk: loadDisk,
    has: hasFile,
    services: parts.services,
    engine: parts.engine,
    strays: parts.strays,
    link: parts.link,
    certificateEnds() {
      const identity = loadIdentity(`${stateDir}/identity`);
      return identity && readCertificate(identity.certificate).notAfter;
    },
    memory: () => Deno.systemMemoryInfo(),
  };
}

async function hasFile(path: string): Promise<"there" | "missing" | "hidden"> {
  try {
    await Deno.lstat(path);
    return "there";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "missing";
    if (error instanceof Deno.errors.NotCapable) return "hidden";
    throw error;
  }
}
