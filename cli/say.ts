/** Prints a line for the person at the terminal. */
export function say(line: string): void {
  // deno-lint-ignore no-console -- this is what a command line tool does
  console.log(line);
}

/** Prints what a person should know of, on standard error. */
export function warn(message: string): void {
  // deno-lint-ignore no-console -- this is what a command line tool does
  console.error(`skerry: ${message}`);
}

/** Prints what went wrong and returns the exit code to end with. */
export function fail(message: string, code: number): number {
  warn(message);
  return code;
}
