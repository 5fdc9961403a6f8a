/** One figure of a bench. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What we promised ourselves. */
  readonly goal?: number;
  /** What it is compared with, and `value` divided by that. */
  readonly beside?: { readonly name: string; readonly value: number; readonly ratio: number };
}

/** Makes a figure; fills in the ratio. */
export function figure(
  name: string,
  value: number,
  unit: string,
  extra: { goal?: number; beside?: { name: string; value: number } } = {},
): Figure {
  const { goal, beside } = extra;
  return {
    name,
    value,
    unit,
    ...(goal === undefined ? {} : { goal }),
    ...(beside ? { beside: { ...beside, ratio: round(value / beside.value, 2) } } : {}),
  };
}

/** `value` with `digits` behind the point. */
export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** The load of the machine: 1, 5 and 15 minutes. Other work makes figures worse, not better. */
export function loadNow(): number[] {
  return Deno.loadavg().map((value) => round(value, 2));
}

/** Tells the person at the terminal how far a bench is. */
export function note(text: string): void {
  // deno-lint-ignore no-console -- progress of a long bench
  console.error(text);
}
