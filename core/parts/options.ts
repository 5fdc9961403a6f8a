import { AppError } from "../base/mod.ts";

/** One command-line option of a process. The kind of `fallback` decides how its text is read. */
export interface OptionDef<T extends OptionValue = OptionValue> {
  /** One line for `--help`. */
  readonly help: string;
  /** Word for the value in `--help`; absent for switches. */
  readonly value?: string;
  /** Whether the value is a path; the launcher makes it absolute. */
  readonly path?: boolean;
  /** Value when the option is not given. `""` and `[]` mean "none". */
  readonly fallback: T;
}

/** What an option can hold. A list is given by repeating the option. */
export type OptionValue = string | number | boolean | readonly string[];

/** A table of options by name (without the dashes). */
export type OptionTable = Readonly<Record<string, OptionDef>>;

/** The values of a table's options. */
export type OptionsOf<T extends OptionTable> = {
  readonly [K in keyof T]: Widen<T[K]["fallback"]>;
};

type Widen<V> = V extends string ? string
  : V extends number ? number
  : V extends boolean ? boolean
  : readonly string[];

/**
 * Reads `--name value`, `--name=value` and `--switch`. Every problem is told at once.
 *
 * @throws {AppError} BadRequest naming each option that is unknown, lacks a value or has a bad one
 */
export function parseOptions<T extends OptionTable>(
  table: T,
  args: readonly string[],
): OptionsOf<T> {
  const problems: string[] = [];
  const values: Record<string, OptionValue> = {};
  for (const [name, def] of Object.entries(table)) values[name] = def.fallback;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    const match = /^--([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(arg);
    const name = match?.[1] ?? "";
    const def = table[name];
    if (!match || !def) {
      problems.push(`${arg}: there is no such option${near(name, Object.keys(table))}`);
      continue;
    }
    if (typeof def.fallback === "boolean") {
      if (match[2] === undefined || match[2] === "true" || match[2] === "false") {
        values[name] = match[2] !== "false";
      } else problems.push(`--${name}: is a switch and takes no value but true or false`);
      continue;
    }
    const text = match[2] ?? args[++at];
    if (text === undefined) problems.push(`--${name}: needs a value (${def.value ?? "TEXT"})`);
    else if (typeof def.fallback === "number") {
      if (/^\d+$/.test(text)) values[name] = Number(text);
      else problems.push(`--${name}: must be a whole number: current value is ${text}`);
    } else if (typeof def.fallback === "string") values[name] = text;
    else values[name] = [...(values[name] as readonly string[]), text];
  }
  if (problems.length > 0) {
    throw new AppError("BadRequest", `Cannot read the options: ${problems.join("; ")}`);
  }
  return values as OptionsOf<T>;
}

/** The arguments that {@linkcode parseOptions} reads back to `values`, without defaults. */
export function formatOptions<T extends OptionTable>(
  table: T,
  values: Partial<OptionsOf<T>>,
): string[] {
  const out: string[] = [];
  for (const [name, def] of Object.entries(table)) {
    const value = values[name];
    if (value === undefined || value === def.fallback) continue;
    if (Array.isArray(value)) { for (const item of value) out.push(`--${name}=${item}`); }
    else out.push(`--${name}=${value}`);
  }
  return out;
}

/** Makes the path options absolute: relative ones count from `root`. `none` and `in-cluster` stay words. */
export function resolvePaths<V extends Readonly<Record<string, OptionValue>>>(
  table: OptionTable,
  values: V,
  root: string,
): V {
  const out: Record<string, OptionValue> = { ...values };
  for (const [name, def] of Object.entries(table)) {
    const value = out[name];
    const relative = typeof value === "string" && value !== "" && !value.startsWith("/");
    if (def.path && relative && value !== "none" && value !== "in-cluster") {
      out[name] = `${root}/${value.replace(/^\.\//, "")}`;
    }
  }
  return out as V;
}

/** The text of `--help`. */
export function optionsHelp(usage: string, table: OptionTable): string {
  const rows = Object.entries(table).map(([name, def]) => {
    const left = `  --${name}${def.value ? ` ${def.value}` : ""}`;
    const fallback = def.fallback === "" || def.fallback === false ||
        (Array.isArray(def.fallback) && def.fallback.length === 0)
      ? ""
      : ` (default ${def.fallback})`;
    return `${left.padEnd(30)} ${def.help}${fallback}`;
  });
  return [`Usage: ${usage}`, "", ...rows, ""].join("\n");
}

function near(name: string, known: readonly string[]): string {
  const close = known.find((word) => word.startsWith(name.slice(0, 4)) && name.length >= 2);
  return close ? `; did you mean --${close}` : "";
}
