/** One line of a CRI log file: `2026-01-01T00:00:00.000000000Z stdout F text`. */
export interface CriLine {
  /** As written: RFC 3339 with nanoseconds. */
  readonly time: string;
  readonly stream: "stdout" | "stderr";
  /** The line goes on in the next entry of this stream. */
  readonly partial: boolean;
  /** The text, without a line end. */
  readonly content: Uint8Array;
}

const SPACE = 0x20;
const decoder = new TextDecoder();

/** Reads one entry (without its line end); `undefined` when it is damaged, e.g. cut by a power loss. */
export function parseCriLine(line: Uint8Array): CriLine | undefined {
  const first = line.indexOf(SPACE);
  const second = first < 0 ? -1 : line.indexOf(SPACE, first + 1);
  const third = second < 0 ? -1 : line.indexOf(SPACE, second + 1);
  if (third < 0) return undefined;
  const stream = decoder.decode(line.subarray(first + 1, second));
  if (stream !== "stdout" && stream !== "stderr") return undefined;
  const tags = decoder.decode(line.subarray(second + 1, third)).split(":");
  return {
    time: decoder.decode(line.subarray(0, first)),
    stream,
    partial: tags[0] === "P",
    content: line.subarray(third + 1),
  };
}
