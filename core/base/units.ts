/** A span or a point of time in milliseconds; points count from the Unix epoch. */
export type Ms = number & { readonly __unit: "ms" };
/** A size in bytes. */
export type Bytes = number & { readonly __unit: "bytes" };
/** The name of a node, as its certificate says it. */
export type NodeName = string & { readonly __id: "node" };
/** The UID of an object. */
export type Uid = string & { readonly __id: "uid" };

/** `n` milliseconds. */
export function ms(n: number): Ms {
  return n as Ms;
}
/** `n` seconds as milliseconds. */
export function seconds(n: number): Ms {
  return (n * 1000) as Ms;
}
/** `n` minutes as milliseconds. */
export function minutes(n: number): Ms {
  return (n * 60_000) as Ms;
}
/** `n` hours as milliseconds. */
export function hours(n: number): Ms {
  return (n * 3_600_000) as Ms;
}
/** `n` bytes. */
export function bytes(n: number): Bytes {
  return n as Bytes;
}
/** `n` kibibytes as bytes. */
export function kib(n: number): Bytes {
  return (n * 1024) as Bytes;
}
/** `n` mebibytes as bytes. */
export function mib(n: number): Bytes {
  return (n * 1024 * 1024) as Bytes;
}

/** A point of time as Kubernetes' `metav1.Time`: RFC 3339 in whole seconds. */
export function toTime(at: Ms): string {
  return new Date(at).toISOString().replace(/\.\d{3}Z$/, "Z");
}
/** A point of time as Kubernetes' `metav1.MicroTime`: exactly six decimals. */
export function toMicroTime(at: Ms): string {
  return new Date(at).toISOString().replace(/Z$/, "000Z");
}
/** Reads an RFC 3339 time; `undefined` when `text` is absent or is no time. */
export function fromTime(text: string | undefined | null): Ms | undefined {
  if (!text) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : (at as Ms);
}
