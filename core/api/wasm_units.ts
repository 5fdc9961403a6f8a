const BINARY = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 } as const;
const DECIMAL = { k: 1e3, M: 1e6, G: 1e9 } as const;
const TIMES = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Reads a size in bytes: a whole number, or one with `Ki`, `Mi`, `Gi`, `k`, `M`, `G`. `undefined` when it is none. */
export function parseByteSize(text: string | number): number | undefined {
  const match = String(text).match(/^(\d+(?:\.\d+)?)(Ki|Mi|Gi|k|M|G)?$/);
  if (!match) return undefined;
  const units: Readonly<Record<string, number>> = { ...BINARY, ...DECIMAL };
  const value = Number(match[1]) * (match[2] ? units[match[2]] ?? NaN : 1);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Reads a span of time in Go's words, e.g. `500ms`, `5s`, `1m30s`, in milliseconds. `undefined` when it is none. */
export function parseSpan(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  const units: Readonly<Record<string, number>> = TIMES;
  let total = 0;
  for (const [, value, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(value) * (units[unit ?? ""] ?? NaN);
  }
  return Number.isFinite(total) ? total : undefined;
}
