/** One thing that is wrong with a Dockerfile. */
export interface DockerProblem {
  /** Line of the instruction, from 1. */
  readonly line: number;
  readonly message: string;
}

interface Instruction {
  readonly line: number;
  readonly word: string;
  readonly text: string;
  /** The comment lines right above. */
  readonly comment: string;
}

type Check = (at: Instruction, stages: readonly string[]) => string | undefined;

const CHECKS: Readonly<Record<string, readonly Check[]>> = {
  FROM: [fromPinned],
  ADD: [() => "ADD unpacks and fetches; use COPY"],
  RUN: [aptClean, npmPinned, noPipeToShell],
  COPY: [copyKnownStage],
  ENV: [noSecret],
  ARG: [noSecret],
  USER: [rootExplained],
  WORKDIR: [({ text }) => text.startsWith("/") ? undefined : "WORKDIR must be absolute"],
  ENTRYPOINT: [execForm],
  CMD: [execForm],
};

/**
 * The rules that this project's images keep: pinned bases and packages, no fetched scripts, clean
 * apt, no secrets, a user in every final stage (root only with a reason), exec-form entry points.
 */
export function lintDockerfile(text: string): DockerProblem[] {
  const problems: DockerProblem[] = [];
  const stages: string[] = [];
  const instructions = parse(text);
  for (const at of instructions) {
    const checks = CHECKS[at.word] ?? [];
    for (const check of [...checks, noHost]) {
      const message = check(at, stages);
      if (message !== undefined) problems.push({ line: at.line, message });
    }
    if (at.word === "FROM") stages.push(stageName(at.text));
  }
  return [...problems, ...usersMissing(instructions)];
}

/** Names of the stages, in order; a stage without a name is `""`. */
export function stageNames(text: string): string[] {
  return parse(text).filter(({ word }) => word === "FROM").map(({ text }) => stageName(text));
}

function parse(text: string): Instruction[] {
  const out: Instruction[] = [];
  let comment = "";
  let open: { line: number; text: string } | undefined;
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line.startsWith("#")) {
      if (!open) comment += `${line.slice(1).trim()}\n`;
      continue;
    }
    if (line === "") {
      if (!open) comment = "";
      continue;
    }
    open = { line: open?.line ?? index + 1, text: `${open?.text ?? ""} ${line}`.trim() };
    if (open.text.endsWith("\\")) {
      open = { ...open, text: open.text.slice(0, -1).trim() };
      continue;
    }
    const [word = "", ...rest] = open.text.split(/\s+/);
    out.push({ line: open.line, word: word.toUpperCase(), text: rest.join(" "), comment });
    open = undefined;
    comment = "";
  }
  return out;
}

function stageName(text: string): string {
  return / as (\S+)$/i.exec(text)?.[1] ?? "";
}

function fromPinned({ text }: Instruction, stages: readonly string[]): string | undefined {
  const image = text.split(" ").find((word) => !word.startsWith("--")) ?? "";
  if (stages.includes(image) || image === "scratch") return undefined;
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  return tag === undefined || tag === "latest"
    ? `${image} needs a tag other than latest`
    : undefined;
}

function aptClean({ text }: Instruction): string | undefined {
  if (!/\bapt(-get)? install\b/.test(text)) return undefined;
  const lacks = ["apt-get update", "-y", "--no-install-recommends", "rm -rf /var/lib/apt/lists"]
    .filter((part) => !text.includes(part));
  return lacks.length > 0 ? `apt-get install needs ${lacks.join(", ")} in the same RUN` : undefined;
}

function npmPinned({ text }: Instruction): string | undefined {
  const match = /\bnpm (?:install|i|add)\b([^&;|]*)/.exec(text);
  if (!match) return undefined;
  const names = (match[1] ?? "").split(" ").filter((word) => /^@?[a-z][\w.-]*(\/|@|$)/.test(word));
  const loose = names.filter((name) => !/@\d+\.\d+\.\d+$/.test(name));
  return loose.length > 0 ? `npm packages need exact versions: ${loose.join(", ")}` : undefined;
}

function noPipeToShell({ text }: Instruction): string | undefined {
  return /\|\s*(ba|da)?sh\b/.test(text) ? "a fetched script is not run unseen" : undefined;
}

function copyKnownStage({ text }: Instruction, stages: readonly string[]): string | undefined {
  const from = /--from=(\S+)/.exec(text)?.[1];
  return from === undefined || stages.includes(from) ? undefined : `there is no stage ${from}`;
}

function noSecret({ text }: Instruction): string | undefined {
  return /TOKEN|PASSWORD|SECRET|_KEY\b/i.test(text) ? "a secret stays in the image" : undefined;
}

function rootExplained({ text, comment }: Instruction): string | undefined {
  if (!/^(root|0)(:|$)/.test(text)) return undefined;
  return /^root: \S/m.test(comment) ? undefined : 'USER root needs a comment "# root: why" above';
}

function execForm({ text }: Instruction): string | undefined {
  try {
    const words = JSON.parse(text);
    if (Array.isArray(words) && words.every((word) => typeof word === "string")) return undefined;
  } catch {
    // Not JSON: the shell form.
  }
  return "use the exec form, so that signals reach the process";
}

function noHost({ text }: Instruction): string | undefined {
  return /\bhttps?:\/\//.test(text) ? "an image names no host: packages come by name" : undefined;
}

/** Stages with an entry point that say no user run as root without a word. */
function usersMissing(instructions: readonly Instruction[]): DockerProblem[] {
  const problems: DockerProblem[] = [];
  let user = false;
  for (const { word, line } of instructions) {
    if (word === "FROM") user = false;
    if (word === "USER") user = true;
    if (word === "ENTRYPOINT" && !user) {
      problems.push({ line, message: "the stage has an entry point and no USER" });
    }
  }
  return problems;
}
