import { isMap } from "../api/mod.ts";

/** What the answer to a call has to be, so that whoever asked can read it. */
export interface Shape {
  /** For messages, e.g. `list of objects`. */
  readonly name: string;
  /** Whether an answer is one; an empty answer is `undefined`. Pure. */
  readonly is: (answer: unknown) => boolean;
}

/** What all answers of an API server are. A hub answers some calls with nothing. */
export const ANY: Shape = {
  name: "JSON object",
  is: (answer) => answer === undefined || isMap(answer),
};

/** One object. */
export const OBJECT: Shape = {
  name: "object with a name",
  is: (answer) => isMap(answer) && isMap(answer["metadata"]) && isText(answer["metadata"]["name"]),
};

/** What is left of an object that is deleted: a `Status`, or what it is until it has gone. */
export const DELETED: Shape = {
  name: "object with a name, and no Status",
  is: (answer) => OBJECT.is(answer) || isMap(answer) && answer["kind"] === "Status",
};

/** A list of objects. None at all may be `null`. */
export const LIST: Shape = {
  name: "list of objects",
  is: (answer) =>
    isMap(answer) && isMap(answer["metadata"]) && isText(answer["metadata"]["resourceVersion"]) &&
    areAll(answer["items"] ?? [], OBJECT.is),
};

/** The groups of kinds that a server serves. */
export const GROUPS: Shape = {
  name: "list of API groups",
  is: (answer) =>
    isMap(answer) && areAll(answer["groups"], (group) =>
      isMap(group) && isText(group["name"]) &&
      areAll(group["versions"] ?? [], (one) => isMap(one) && isText(one["version"]))),
};

/** The kinds of one version of a group. None at all may be `null`. */
export const KINDS: Shape = {
  name: "list of API resources",
  is: (answer) =>
    isMap(answer) &&
    areAll(answer["resources"] === null ? [] : answer["resources"], (one) =>
      isMap(one) && isText(one["name"]) && isText(one["kind"]) &&
      areAll(one["verbs"] ?? [], isText)),
};

function areAll(value: unknown, check: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(check);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}
