/** A range of IPv4 addresses in CIDR notation, read. */
export interface AddressRange {
  /** The first address as a number. */
  readonly base: number;
  /** How many addresses there are. */
  readonly size: number;
}

/**
 * Reads `10.96.0.0/16`.
 * @throws {RangeError} when it is no IPv4 range of 4 to 2^20 addresses
 */
export function parseRange(cidr: string): AddressRange {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  const bytes = (match ?? []).slice(1, 5).map(Number);
  const bits = Number(match?.[5]);
  if (!match || bytes.some((byte) => byte > 255) || bits < 12 || bits > 30) {
    throw new RangeError(
      `Cannot use ${cidr} for Services as it must be an IPv4 range from /12 to /30`,
    );
  }
  const size = 2 ** (32 - bits);
  const address = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return { base: address - address % size, size };
}

/**
 * A free address for a Service, chosen by its name so that it is mostly the same again after it was
 * made anew. The network address, the one after it (the API's own) and the last are not given out.
 * Pure. Returns `undefined` when none is free.
 */
export function allocate(
  range: AddressRange,
  options: { key: string; taken: ReadonlySet<string> },
): string | undefined {
  const count = range.size - 3;
  let start = 0;
  for (const char of options.key) start = (start * 31 + (char.codePointAt(0) ?? 0)) % count;
  for (let i = 0; i < count; i++) {
    const address = formatAddress(range.base + 2 + (start + i) % count);
    if (!options.taken.has(address)) return address;
  }
  return undefined;
}

function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}
