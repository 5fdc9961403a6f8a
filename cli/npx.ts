import { seconds, systemClock } from "../core/base/mod.ts";

/**
 * Calls `gone` when the `npx` that this process was started by has ended. npx does not pass a
 * SIGTERM on to what it runs, so without this a stopped `npx deno task up` would leave everything
 * running. Looking at other processes needs all permissions (Deno refuses `/proc` otherwise), so a
 * small process of its own looks. Does nothing when the launcher was started in another way.
 */
export function watchNpx(gone: () => void): Disposable {
  if (Deno.env.get("npm_command") !== "exec") return { [Symbol.dispose]() {} };
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--no-prompt",
      "--quiet",
      import.meta.filename ?? "",
      `${Deno.ppid}`,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let disposed = false;
  child.status.then(() => {
    if (!disposed) gone();
  });
  return {
    [Symbol.dispose]() {
      disposed = true;
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
    },
  };
}

/** The parent of a process, from `/proc`; `undefined` when the process has ended. */
function parentOf(pid: number): number | undefined {
  try {
    // The second field is the command in brackets and may itself hold brackets and spaces.
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return Number(/^.*\) \S (\d+) /s.exec(stat)?.[1]);
  } catch {
    return undefined;
  }
}

/** Ends when `task` (the `deno task` between npx and the launcher) gets another parent or ends. */
function watch(task: number): void {
  const launcher = Deno.ppid;
  const shell = parentOf(task);
  const npx = shell === undefined ? undefined : parentOf(shell);
  const look = (): void => {
    const same = parentOf(task) === shell && shell !== undefined && parentOf(shell) === npx;
    if (!same || Deno.ppid !== launcher) Deno.exit(0);
    systemClock.timer(seconds(1), look);
  };
  look();
}

if (import.meta.main) {
  // Ctrl-C reaches the whole group; the launcher decides when this one ends.
  Deno.addSignalListener("SIGINT", () => {});
  watch(Number(Deno.args[0]));
}
