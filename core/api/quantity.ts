import { AppError } from "../base/mod.ts";

/** A quantity as a whole number of 10^-9: exact for all that Kubernetes accepts. */
export type NanoUnits = bigint;

const NANO = 1_000_000_000n;
/** Kubernetes caps quantities at 2^63-1. */
const MAX = (2n ** 63n - 1n) * NANO;

const BINARY: Readonly<Record<string, bigint>> = {
  Ki: 2n ** 10n,
  Mi: 2n ** 20n,
  Gi: 2n ** 30n,
  Ti: 2n ** 40n,
  Pi: 2n ** 50n,
  Ei: 2n ** 60n,
};
const DECIMAL: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  "": 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const PATTERN =
  /^([+-]?)(\d{0,40})(?:\.(\d{0,40}))?(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d{1,2})?$/;

/**
 * Reads a Kubernetes quantity (`100m`, `1.5Gi`, `2e3`); parts below 10^-9 are rounded up, values
 * above 2^63-1 are capped, as Kubernetes does.
 * @throws {AppError} BadRequest with Kubernetes' own sentence
 */
export function parseQuantity(text: string | number): NanoUnits {
  const match = PATTERN.exec(String(text));
  const [, sign = "", whole = "", fraction = "", suffix = ""] = match ?? [];
  if (!match || (whole === "" && fraction === "")) {
    throw new AppError(
      "BadRequest",
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  }
  const digits = BigInt(whole + fraction);
  const [numerator, exponent] = scaleOf(suffix);
  const power = exponent + 9 - fraction.length;
  const scaled = digits * numerator;
  const nano = power >= 0 ? scaled * 10n ** BigInt(power) : ceilDiv(scaled, 10n ** BigInt(-power));
  const capped = nano > MAX ? MAX : nano;
  return sign === "-" ? -capped : capped;
}

function scaleOf(suffix: string): [numerator: bigint, exponent: number] {
  const binary = BINARY[suffix];
  if (binary !== undefined) return [binary, 0];
  const decimal = DECIMAL[suffix];
  return [1n, decimal ?? Number(suffix.slice(1))];
}

function ceilDiv(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b;
}

/** Whether a text is a quantity. */
export function isQuantity(text: unknown): boolean {
  if (typeof text !== "string" && typeof text !== "number") return false;
  try {
    parseQuantity(text);
    return true;
  } catch {
    return false;
  }
}

/** A quantity as a number, for sums that are rounded anyway; `undefined` for what is none. */
export function quantityToNumber(text: unknown): number | undefined {
  return isQuantity(text) ? Number(parseQuantity(text as string | number)) / 1e9 : undefined;
}

/** -1, 0 or 1: the order of two quantities. @throws {AppError} BadRequest */
export function compareQuantities(a: string, b: string): -1 | 0 | 1 {
  const [left, right] = [parseQuantity(a), parseQuantity(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** A quantity as a number of units, rounded up: bytes of memory, counts of pods. @throws {AppError} BadRequest */
export function quantityToUnits(text: string | number): number {
  const nano = parseQuantity(text);
  return Number(nano > 0n ? ceilDiv(nano, NANO) : nano / NANO);
}

/** A quantity in thousandths, rounded up: millicores. @throws {AppError} BadRequest */
export function quantityToMilli(text: string | number): number {
  const nano = parseQuantity(text);
  return Number(nano > 0n ? ceilDiv(nano, 1_000_000n) : nano / 1_000_000n);
}

/**
 * The shortest text of a quantity. `binary` uses Ki, Mi, ... where they divide the value, `decimal`
 * uses n, u, m, k, M, ...
 */
export function formatQuantity(value: NanoUnits, form: "binary" | "decimal" = "decimal"): string {
  if (value === 0n) return "0";
  const sign = value < 0n ? "-" : "";
  const size = value < 0n ? -value : value;
  if (form === "binary" && size % NANO === 0n) return sign + formatBinary(size / NANO);
  let exponent = -9;
  let digits = size;
  while (digits % 1000n === 0n && exponent < 18) {
    digits /= 1000n;
    exponent += 3;
  }
  const suffix = Object.entries(DECIMAL).find(([, power]) => power === exponent)?.[0] ?? "";
  return `${sign}${digits}${suffix}`;
}

function formatBinary(units: bigint): string {
  let best = "";
  for (const [suffix, factor] of Object.entries(BINARY)) {
    if (units % factor === 0n) best = `${units / factor}${suffix}`;
  }
  return best === "" ? String(units) : best;
}
