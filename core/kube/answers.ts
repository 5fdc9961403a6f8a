import { AppError } from "../base/mod.ts";
import { errorOfAnswer } from "./errors.ts";

const MAX_ERROR = 64 * 2 ** 10;

/** The error that an answer tells of; `what` is the request, for messages. */
export async function readFailure(what: string, response: Response): Promise<AppError> {
  let body: unknown;
  try {
    body = JSON.parse(await readText(response, MAX_ERROR, what));
  } catch {
    // No Status: a proxy's page, or it broke off. The code says enough.
  }
  return errorOfAnswer(what, response.status, body, response.headers.get("retry-after"));
}

/**
 * The JSON of an answer; `undefined` for an empty one.
 *
 * @throws {AppError} RequestEntityTooLarge when it is over `most` bytes, ServiceUnavailable when it
 * is no JSON
 */
export async function readJson(response: Response, most: number, what: string): Promise<unknown> {
  const text = await readText(response, most, what);
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError(
      "ServiceUnavailable",
      `the answer to ${what} is no JSON: is a proxy in front of the API server?`,
      { cause },
    );
  }
}

async function readText(response: Response, most: number, what: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > most) {
      throw new AppError("RequestEntityTooLarge", `the answer to ${what} is over ${most} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
