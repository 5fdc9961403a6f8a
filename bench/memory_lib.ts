/** Memory of one process, MiB, from `/proc/<pid>/smaps_rollup`. */
export interface Memory {
  /** Proportional: a page that n processes map counts 1/n. */
  readonly pss: number;
  /** Of that, memory that belongs to no file: heap, stacks, compiled code. */
  readonly pssAnon: number;
  /** Of that, pages of files: the program and its libraries. The kernel may drop clean ones. */
  readonly pssFile: number;
  /** Every page that is mapped, shared or not. */
  readonly rss: number;
}

/** Reads what a process holds now. Needs `--allow-all` (Deno guards `/proc`). */
export function memoryOf(pid: number): Memory {
  const rollup = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  const field = (name: string): number => {
    const text = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1];
    if (text === undefined) throw new Error(`smaps_rollup of ${pid} has no ${name}`);
    return Number(text) / 1024;
  };
  return {
    pss: field("Pss"),
    pssAnon: field("Pss_Anon"),
    pssFile: field("Pss_File"),
    rss: field("Rss"),
  };
}

/** The sum of the memory of several processes. */
export function addMemory(all: readonly Memory[]): Memory {
  const sum = (key: keyof Memory): number => all.reduce((total, one) => total + one[key], 0);
  return { pss: sum("pss"), pssAnon: sum("pssAnon"), pssFile: sum("pssFile"), rss: sum("rss") };
}

/** Seconds of CPU that a process has used. */
export function cpuOf(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /, "").split(" ");
  return (Number(stat[11]) + Number(stat[12])) / 100;
}

/** How many other Deno processes the machine runs: they may share the program's pages. */
export function countDenoProcesses(binary: string): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (Deno.readLinkSync(`/proc/${name}/exe`) === binary) count++;
    } catch {
      // It has ended, or is a thread of the kernel.
    }
  }
  return count;
}
