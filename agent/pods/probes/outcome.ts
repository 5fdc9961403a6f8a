import { errorText } from "../../../core/base/mod.ts";

/** What one question to a container came to. */
export interface ProbeOutcome {
  /**
   * `warning` is a success that its owner should look at; `error` says that the container could
   * not be asked, which counts neither way; `away` is an error that others tell of already.
   */
  readonly result: "success" | "warning" | "failure" | "error" | "away";
  /** What it said, in the kubelet's words. */
  readonly output: string;
}

/** Go's words for what the system says of a connection, as people search for them. */
const SYSTEM_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ECONNRESET: "read: connection reset by peer",
  ETIMEDOUT: "connect: connection timed out",
  EPIPE: "write: broken pipe",
};

/** What the system said of a connection, in a kubelet's words. */
export function connectionWords(error: unknown, address: string): string {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  const words = typeof code === "string" ? SYSTEM_WORDS[code] : undefined;
  if (words === undefined) return errorText(error);
  return words.startsWith("connect") ? `dial tcp ${address}: ${words}` : words;
}
