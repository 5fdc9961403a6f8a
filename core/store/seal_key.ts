import { randomBytes } from "node:crypto";
import { AppError } from "../base/mod.ts";
import { KEY_SIZE } from "./seal.ts";

/** The key in `file`; `undefined` when there is none. @throws {AppError} ServiceUnavailable */
export function readKey(file: string): Uint8Array | undefined {
  let key: Uint8Array;
  try {
    key = Deno.readFileSync(file);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw unusable(`the key ${file} cannot be read: check its permissions`, cause);
  }
  if (key.length === KEY_SIZE) return key;
  throw unusable(`${file} is no key: it has ${key.length} bytes instead of ${KEY_SIZE}`);
}

/** Makes a key that is on the disk when this returns, in a folder for it alone (0700, file 0600). */
export function makeKey(file: string): Uint8Array {
  const key = new Uint8Array(randomBytes(KEY_SIZE));
  const folder = file.slice(0, file.lastIndexOf("/"));
  const temporary = `${file}.new`;
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  {
    using made = Deno.openSync(temporary, {
      write: true,
      create: true,
      truncate: true,
      mode: 0o600,
    });
    made.writeSync(key);
    made.syncSync();
  }
  Deno.renameSync(temporary, file);
  using opened = Deno.openSync(folder);
  opened.syncSync();
  return key;
}

/** An error of the key, which only a person can mend. */
export function unusable(message: string, cause?: unknown): AppError {
  return new AppError("ServiceUnavailable", message, { cause, state: "unusable" });
}
