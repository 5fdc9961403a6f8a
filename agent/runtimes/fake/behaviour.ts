import { type Ms, ms } from "../../../core/base/mod.ts";
import type { ContainerUsage } from "../runtime.ts";

/** What one run of a container in the fake does. Every field has the default of a quiet server. */
export interface ContainerBehaviour {
  /** `startContainer` fails with this text, as for a program that is absent. */
  readonly startError?: string;
  /** Ends by itself so long after its start. @default {runs for ever} */
  readonly exitAfter?: Ms;
  /** Exit code of an end by itself. @default {0} */
  readonly exitCode?: number;
  /** CRI's reason for that end. @default {"Completed" for 0, else "Error"} */
  readonly reason?: string;
  /** What TERM does. @default {"exit"} */
  readonly onTerm?: "exit" | "ignore";
  /** From TERM to the end. @default {0} */
  readonly termDelay?: Ms;
  /** Exit code after TERM. @default {143} */
  readonly termCode?: number;
  /** Answers `execSync`. @default {exit code 0, no output} */
  readonly exec?: (command: readonly string[]) => ExecResult;
  /** What it uses after it ran for `ran`. @default {no CPU, 1 MiB of memory} */
  readonly usage?: (ran: Ms) => Partial<Measured>;
}

/** The numbers of a {@linkcode ContainerUsage}. */
export type Measured = Omit<ContainerUsage, "id" | "podUid" | "name" | "at">;

/** What a command of `execSync` does. */
export interface ExecResult {
  readonly exitCode: number;
  readonly stdout?: string;
  readonly stderr?: string;
  /** How long it runs. @default {0} */
  readonly duration?: Ms;
}

/** What a script decides by. */
export interface ContainerRun {
  readonly podUid: string;
  readonly podName: string;
  readonly podNamespace: string;
  /** Container name. */
  readonly name: string;
  readonly attempt: number;
  readonly command: readonly string[];
  readonly args: readonly string[];
}

/** The behaviour of all containers of an image, or one chosen for each run. */
export type ImageScript = ContainerBehaviour | ((run: ContainerRun) => ContainerBehaviour);

/** What pulling an image does. */
export interface PullScript {
  /** How long a pull takes. @default {0} */
  readonly duration?: Ms;
  /** The first `failures` pulls fail, or all of them. @default {0} */
  readonly failures?: number | "all";
  /** Text of the failure. @default {"not found"} */
  readonly error?: string;
}

/** Ends with `code` after `life`, on every run: a crash loop when the pod restarts it. */
export function crashLoop(life: Ms = ms(0), code = 1): ContainerBehaviour {
  return { exitAfter: life, exitCode: code };
}
