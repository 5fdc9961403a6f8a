/** Where the value of a variable is found. A map is one. */
export interface Variables {
  get(name: string): string | undefined;
}

/**
 * Replaces `$(NAME)` by the variable's value, as Kubernetes does in `command`, `args` and `env`:
 * `$$` is a plain `$`, and a name that is not known stays as it is written.
 */
export function expandVariables(text: string, values: Variables): string {
  let out = "";
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char !== "$" || at + 1 === text.length) {
      out += char;
      continue;
    }
    const next = text[at + 1];
    if (next === "$") {
      out += "$";
      at++;
      continue;
    }
    const end = next === "(" ? text.indexOf(")", at + 2) : -1;
    if (end < 0) {
      out += char;
      continue;
    }
    const name = text.slice(at + 2, end);
    out += values.get(name) ?? `$(${name})`;
    at = end;
  }
  return out;
}
