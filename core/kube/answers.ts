import { AppError } from "../base/mod.ts";
import { heeding } from "./body.ts";
import { errorOfAnswer } from "./errors.ts";
import type { Shape } from "./shapes.ts";

const MAX_ERROR = 64 * 2 ** 10;
/** Characters of an answer that are shown in a message. */
const MAX_SHOWN = 100;

/** How an answer is read. */
export interface ReadOptions {
  /** Whose answer it is, for messages. */
  readonly server: string;
  /** The request, for messages. */
  readonly what: string;
  /** Most bytes that are read. */
  readonly most: number;
  /** What it has to be. */
  readonly shape: Shape;
  readonly signal: AbortSignal;
}

/** The error that an answer tells of. @throws the reason of `signal` */
export async function readFailure(
  response: Response,
  { what, signal }: Pick<ReadOptions, "what" | "signal">,
): Promise<AppError> {
  let body: unknown;
  try {
    body = JSON.parse(await readText(response, { what, most: MAX_ERROR, signal }));
  } catch {
    signal.throwIfAborted();
    // No Status: a proxy's page, or it broke off. The code says enough.
  }
  return errorOfAnswer(what, response.status, body, response.headers.get("retry-after"));
}

/** For an answer whose code says it all. */
export async function leaveUnread({ body }: Response): Promise<void> {
  await body?.cancel();
}

/**
 * The JSON of an answer; `undefined` for an empty one.
 *
 * @throws {AppError} RequestEntityTooLarge when it is over `most` bytes, ServiceUnavailable when it
 * is no JSON or not of the shape
 * @throws the reason of `signal`
 */
export async function readJson(response: Response, options: ReadOptions): Promise<unknown> {
  const { what, server, shape } = options;
  const text = await readText(response, options);
  let answer: unknown;
  try {
    if (text !== "") answer = JSON.parse(text);
  } catch (cause) {
    throw new AppError(
      "ServiceUnavailable",
      `the answer to ${what} is no JSON: is a proxy in front of the API server?`,
      { cause },
    );
  }
  if (shape.is(answer)) return answer;
  const came = text === ""
    ? "nothing"
    : text.length > MAX_SHOWN
    ? `${text.slice(0, MAX_SHOWN)}...`
    : text;
  throw new AppError(
    "ServiceUnavailable",
    `${server} answered ${what} with ${came}, which is no ${shape.name}: is that an API server?`,
  );
}

async function readText(
  { body }: Response,
  { what, most, signal }: Pick<ReadOptions, "what" | "most" | "signal">,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of body ? heeding(body, signal) : []) {
    size += chunk.byteLength;
    if (size > most) {
      throw new AppError("RequestEntityTooLarge", `the answer to ${what} is over ${most} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
