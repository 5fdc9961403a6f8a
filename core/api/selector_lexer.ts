import { AppError } from "../base/mod.ts";

/** A piece of a label selector: a word (key, value, `in`, `notin`) or one of `, ( ) ! = == != > <`. */
export interface SelectorToken {
  readonly text: string;
  readonly word: boolean;
}

const TOKEN = /\s*(?:(==|!=|[(),!=<>])|([^\s(),!=<>]+))/y;

/**
 * Cuts a label selector into tokens; white space only separates.
 *
 * @throws {AppError} BadRequest for a selector longer than 8192 characters
 */
export function lexLabelSelector(text: string): SelectorToken[] {
  if (text.length > 8192) {
    throw new AppError("BadRequest", "a label selector must be at most 8192 characters long");
  }
  const trimmed = text.trimEnd();
  const tokens: SelectorToken[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < trimmed.length) {
    const match = TOKEN.exec(trimmed);
    if (!match) break;
    const [, symbol, word] = match;
    tokens.push(
      symbol === undefined ? { text: word ?? "", word: true } : {
        text: symbol,
        word: false,
      },
    );
  }
  return tokens;
}
