import { AppError, errorText } from "../../core/base/mod.ts";

/** Options of {@linkcode serveSocket}. */
export interface ServeSocketOptions {
  readonly path: string;
  readonly handler: (request: Request) => Promise<Response>;
}

/**
 * Makes sure that no other runner is at work with these files. Called before anything is touched.
 *
 * @throws {AppError} AlreadyExists when a live process serves the socket
 */
export async function requireNoOther(path: string): Promise<void> {
  if (!await answers(path)) return;
  throw new AppError(
    "AlreadyExists",
    `another runner serves ${path}: stop it, or name another socket with --control-socket`,
  );
}

/**
 * Serves HTTP on a unix socket that only this user and its group may open. Removes a socket that a
 * dead process left.
 *
 * @throws {AppError} AlreadyExists when a live process serves it
 */
export async function serveSocket(options: ServeSocketOptions): Promise<Deno.HttpServer> {
  const { path, handler } = options;
  await requireNoOther(path);
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const server = Deno.serve({ path, onListen: () => {} }, handler);
  await Deno.chmod(path, 0o660);
  return server;
}

async function answers(path: string): Promise<boolean> {
  try {
    const connection = await Deno.connect({ transport: "unix", path });
    connection.close();
    return true;
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound || /refused|os error (2|111)/.test(errorText(error))
    ) {
      return false;
    }
    throw error;
  }
}
