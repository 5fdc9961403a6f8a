import { AppError, isLabelKey, isLabelValue } from "../base/mod.ts";
import { lexLabelSelector, type SelectorToken } from "./selector_lexer.ts";
import { LABEL_INTEGER, type LabelOperator, type LabelRequirement } from "./selectors.ts";

/**
 * Reads Kubernetes' text form, e.g. `app=web,tier in (a,b),!old,cores>4`. Empty text has no
 * requirements and matches everything. Source: `k8s.io/apimachinery/pkg/labels`.
 *
 * @throws {AppError} BadRequest when the text cannot be read
 */
export function parseLabelSelector(text: string): LabelRequirement[] {
  const tokens = lexLabelSelector(text);
  const out: LabelRequirement[] = [];
  if (tokens.length === 0) return out;
  let at = 0;
  const take = (what: string): SelectorToken => {
    const token = tokens[at++];
    if (!token) throw unreadable(text, `it ends where ${what} should stand`);
    return token;
  };
  for (;;) {
    out.push(parseRequirement(text, take, () => tokens[at]));
    if (at >= tokens.length) return out;
    const comma = take("a comma");
    if (comma.text !== ",") throw unreadable(text, `found '${comma.text}', expected ','`);
  }
}

function parseRequirement(
  text: string,
  take: (what: string) => SelectorToken,
  peek: () => SelectorToken | undefined,
): LabelRequirement {
  const first = take("a label key");
  if (first.text === "!" && !first.word) {
    return checked(text, takeWord(text, take("a label key")), "DoesNotExist", []);
  }
  const key = takeWord(text, first);
  const next = peek();
  if (!next || (next.text === "," && !next.word)) return checked(text, key, "Exists", []);
  const operator = take("an operator").text;
  switch (operator) {
    case "in":
      return checked(text, key, "In", takeSet(text, take));
    case "notin":
      return checked(text, key, "NotIn", takeSet(text, take));
    case "=":
    case "==":
      return checked(text, key, "In", [takeValue(take, peek)]);
    case "!=":
      return checked(text, key, "NotIn", [takeValue(take, peek)]);
    case ">":
      return checked(text, key, "Gt", [takeValue(take, peek)]);
    case "<":
      return checked(text, key, "Lt", [takeValue(take, peek)]);
    default:
      throw unreadable(
        text,
        `found '${operator}', expected one of in, notin, =, ==, !=, >, <, or a comma`,
      );
  }
}

function takeWord(text: string, token: SelectorToken): string {
  if (!token.word) throw unreadable(text, `found '${token.text}', expected a label key`);
  return token.text;
}

/** A value may be empty: `a=` and `a=,b` are legal. */
function takeValue(
  take: (what: string) => SelectorToken,
  peek: () => SelectorToken | undefined,
): string {
  return peek()?.word ? take("a value").text : "";
}

function takeSet(text: string, take: (what: string) => SelectorToken): string[] {
  const open = take("'('");
  if (open.text !== "(") throw unreadable(text, `found '${open.text}', expected '('`);
  const values: string[] = [];
  let pending = "";
  for (;;) {
    const token = take("')'");
    if (token.word) {
      if (pending !== "") throw unreadable(text, `found '${token.text}', expected ',' or ')'`);
      pending = token.text;
    } else if (token.text === "," || token.text === ")") {
      values.push(pending);
      pending = "";
      if (token.text === ")") return values;
    } else {
      throw unreadable(text, `found '${token.text}', expected a value, ',' or ')'`);
    }
  }
}

function checked(
  source: string,
  key: string,
  operator: LabelOperator,
  values: readonly string[],
): LabelRequirement {
  if (!isLabelKey(key)) throw unreadable(source, `'${key}' is not a label key`);
  if (operator === "Gt" || operator === "Lt") {
    const bound = values[0] ?? "";
    if (!LABEL_INTEGER.test(bound)) {
      throw unreadable(source, `'${bound}' after > or < must be a whole number`);
    }
  } else {
    const bad = values.find((value) => !isLabelValue(value));
    if (bad !== undefined) throw unreadable(source, `'${bad}' is not a label value`);
  }
  return { key, operator, values: operator === "In" ? [...new Set(values)] : values };
}

function unreadable(text: string, why: string): AppError {
  return new AppError("BadRequest", `unable to parse label selector "${text}": ${why}`);
}
