import { AppError } from "../base/mod.ts";
import { type OptionForm, PATH } from "./forms.ts";

/** One command-line option of a process. The kind of `fallback` decides how its text is read. */
export interface OptionDef<T extends OptionValue = OptionValue> {
  /** One line for `--help`. */
  readonly help: string;
  /** Word for the value in `--help`; absent for switches. */
  readonly value?: string;
  /** Whether the value is a path ({@linkcode PATH}); the launcher makes it absolute. */
  readonly path?: boolean;
  /** Value when the option is not given. `""` and `[]` mean "none". */
  readonly fallback: T;
  /** Smallest and largest number that is taken, where `fallback` is one. @default {any from 0} */
  readonly range?: readonly [least: number, most: number];
  /** Another option, a number, that this one must not exceed. A fallback that does is cut. */
  readonly atMost?: string;
  /** The words that are taken. @default {any text} */
  readonly words?: readonly string[];
  /** What a text must look like. `""` is taken all the same where it is the fallback. @default {any} */
  readonly form?: OptionForm;
}

/** What an option can hold. A list is given by repeating the option. */
export type OptionValue = string | number | boolean | readonly string[];

/** A table of options by name (without the dashes). */
export type OptionTable = Readonly<Record<string, OptionDef>>;

/** The values of a table's options. */
export type OptionsOf<T extends OptionTable> = {
  readonly [K in keyof T]: Widen<T[K]["fallback"]>;
};

const ANY = [0, Number.MAX_SAFE_INTEGER] as const;

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
  const reading: Reading = { table, values: {}, given: new Set(), problems: [] };
  for (const [name, def] of Object.entries(table)) reading.values[name] = def.fallback;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    const match = /^--([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(arg);
    const name = match?.[1] ?? "";
    const def = table[name];
    if (!match || !def) {
      const close = near(name, Object.keys(table));
      reading.problems.push(`${shown(arg)}: there is no such option${close}`);
    } else if (typeof def.fallback === "boolean") readSwitch(reading, name, match[2]);
    else readValue(reading, name, match[2] ?? args[++at]);
  }
  compare(reading);
  if (reading.problems.length > 0) {
    throw new AppError("BadRequest", `Cannot read the options: ${reading.problems.join("; ")}`);
  }
  return reading.values as OptionsOf<T>;
}

interface Reading {
  readonly table: OptionTable;
  readonly values: Record<string, OptionValue>;
  readonly given: Set<string>;
  readonly problems: string[];
}

function readSwitch({ values, problems }: Reading, name: string, text: string | undefined): void {
  if (text === undefined || text === "true" || text === "false") values[name] = text !== "false";
  else problems.push(`--${name}: is a switch and takes no value but true or false`);
}

function readValue(reading: Reading, name: string, text: string | undefined): void {
  const { table, values, given, problems } = reading;
  const def = table[name];
  if (!def) return;
  if (text === undefined) {
    problems.push(`--${name}: needs a value (${def.value ?? "TEXT"})`);
  } else if (!takes(def, text)) {
    problems.push(`--${name}: must be ${wanted(def)}: current value is ${shown(text)}`);
  } else {
    given.add(name);
    if (typeof def.fallback === "number") values[name] = Number(text);
    else if (typeof def.fallback === "string") values[name] = text;
    else values[name] = [...(values[name] as readonly string[]), text];
  }
}

/** Options that must not exceed others; of those that nobody gave the fallback gives way. */
function compare({ table, values, given, problems }: Reading): void {
  for (const [name, { atMost }] of Object.entries(table)) {
    if (atMost === undefined || Number(values[name]) <= Number(values[atMost])) continue;
    if (given.has(name)) {
      problems.push(
        `--${name}: must not be more than --${atMost}, which is ${values[atMost]}: ` +
          `current value is ${values[name]}`,
      );
    } else values[name] = values[atMost] ?? 0;
  }
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

function takes(def: OptionDef, text: string): boolean {
  const { fallback, range = ANY, words } = def;
  if (typeof fallback === "number") {
    const [least, most] = range;
    return /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most;
  }
  if (text === "" && fallback === "") return true;
  return (words?.includes(text) ?? true) && (formOf(def)?.takes(text) ?? true);
}

function formOf({ form, path }: OptionDef): OptionForm | undefined {
  return form ?? (path ? PATH : undefined);
}

/** What an option takes, in the words of its `--help`. */
function wanted(def: OptionDef): string {
  const { fallback, range = ANY, words, value = typeof fallback === "number" ? "N" : "TEXT" } = def;
  if (typeof fallback !== "number") {
    return words ? words.join(" or ") : `${value}, ${formOf(def)?.wanted}`;
  }
  const [least, most] = range;
  const span = most === ANY[1] ? `, ${least} or more` : ` from ${least} to ${most}`;
  return `${value}, a whole number${span}`;
}

/** What was given, on one line, and so that one sees where it ends. */
function shown(text: string): string {
  return /^[^\s"]+$/.test(text) ? text : JSON.stringify(text);
}

function near(name: string, known: readonly string[]): string {
  const close = known.find((word) => word.startsWith(name.slice(0, 4)) && name.length >= 2);
  return close ? `; did you mean --${close}` : "";
}
