import { AppError, errorText } from "../core/base/mod.ts";

/** A file that a token goes to. One that this made and that got none is removed at the end. */
export interface TokenFile extends Disposable {
  /** @throws {AppError} InternalError saying what becomes of the token when it cannot be written */
  write(token: string): Promise<void>;
}

/**
 * Opens the file for a token that is still to be made: nobody can show one again, so a place that
 * takes none must be known before. What stands in a file that is there stays until then.
 *
 * @throws {AppError} BadRequest when nothing can be written there
 */
export function openOut(path: string): TokenFile {
  const { file, made } = open(path);
  let written = false;
  return {
    async write(token) {
      try {
        await Deno.chmod(path, 0o600);
        await file.truncate();
        const bytes = new TextEncoder().encode(`${token}\n`);
        for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
        await file.sync();
      } catch (cause) {
        throw new AppError(
          "InternalError",
          `the token was made, but ${path} does not take it (${errorText(cause)}): say "skerry ` +
            `token revoke ${token.split(".")[2]}", and make another`,
        );
      }
      written = true;
    },
    [Symbol.dispose]() {
      file.close();
      if (made && !written) Deno.removeSync(path);
    },
  };
}

/** `made`: it was not there before. */
function open(path: string): { readonly file: Deno.FsFile; readonly made: boolean } {
  try {
    return {
      file: Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }),
      made: true,
    };
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw cannotWrite(path, error);
  }
  try {
    return { file: Deno.openSync(path, { write: true }), made: false };
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

function cannotWrite(path: string, error: unknown): AppError {
  const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) || "/" : ".";
  const todo = error instanceof Deno.errors.NotFound
    ? `there is no folder ${folder}: make it (mkdir -p ${folder}), or name another file`
    : error instanceof Deno.errors.IsADirectory
    ? "it is a folder: name a file in it"
    : `${errorText(error)}: name another file`;
  return new AppError("BadRequest", `--out ${path}: ${todo}; no token was made`);
}
