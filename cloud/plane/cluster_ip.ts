import { splitCidr } from "../../core/base/mod.ts";
import { SERVICE_CIDR_BITS } from "../../core/parts/mod.ts";

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
  const found = splitCidr(cidr);
  const [least, most] = SERVICE_CIDR_BITS;
  if (found?.family !== "ipv4" || found.bits < least || found.bits > most) {
    throw new RangeError(
      `Cannot use ${cidr} for Services as it must be an IPv4 range from /${least} to /${most}`,
    );
  }
  const size = 2 ** (32 - found.bits);
  const address = found.address.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
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
