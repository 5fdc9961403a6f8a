import { AppError } from "../../core/base/mod.ts";
import { DEVICE_SLOTS, deviceSlot, KUBELET_SOCKET } from "../../core/parts/mod.ts";

/**
 * Takes the folder over, as a kubelet does at its start: what sockets are left there go, which
 * also tells plugins to register again.
 *
 * @throws {AppError} Conflict when another kubelet or agent listens there, or what the system says
 */
export async function claimFolder(folder: string): Promise<Deno.Listener<Deno.UnixConn>> {
  await Deno.mkdir(folder, { recursive: true, mode: 0o750 });
  const path = `${folder}/${KUBELET_SOCKET}`;
  if (await isServed(path)) {
    throw new AppError(
      "Conflict",
      `${path} is served by another kubelet or agent: end it, or give this agent another folder ` +
        "or 'none' (option device-plugins)",
    );
  }
  for await (const { name } of Deno.readDir(folder)) {
    const file = `${folder}/${name}`;
    if ((await Deno.lstat(file)).isSocket) await Deno.remove(file);
  }
  return Deno.listen({ transport: "unix", path });
}

async function isServed(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) {
      return false;
    }
    throw error;
  }
}

/**
 * Names under which plugins' sockets can be reached. Deno grants unix sockets by their exact path
 * and plugins choose their names, so each socket gets a hard link with one of a few names that
 * are granted.
 */
export class Slots {
  readonly #folder: string;
  readonly #taken = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Links the socket `endpoint` and returns the path of the link.
   *
   * @throws {AppError} Invalid for what is no socket of the folder, TooManyRequests when all are taken
   */
  async take(endpoint: string): Promise<string> {
    const problem = endpointProblem(endpoint);
    const path = `${this.#folder}/${endpoint}`;
    if (problem || !(await isSocket(path))) {
      throw new AppError("Invalid", `endpoint ${JSON.stringify(endpoint)} ${problem ?? NO_SOCKET}`);
    }
    const slot = DEVICE_SLOTS.map((at) => deviceSlot(this.#folder, at)).find((one) =>
      !this.#taken.has(one)
    );
    if (slot === undefined) {
      throw new AppError(
        "TooManyRequests",
        `this node takes at most ${DEVICE_SLOTS.length} device plugins at a time`,
      );
    }
    this.#taken.add(slot);
    try {
      await removeFile(slot);
      await Deno.link(path, slot);
      return slot;
    } catch (error) {
      this.#taken.delete(slot);
      throw error;
    }
  }

  /** Gives a link back. */
  async free(slot: string): Promise<void> {
    await removeFile(slot);
    this.#taken.delete(slot);
  }
}

const NO_SOCKET = "is not a socket in the folder of device plugins";

function endpointProblem(endpoint: string): string | undefined {
  if (
    endpoint === "" || endpoint.length > 100 || ["/", "\0"].some((one) => endpoint.includes(one))
  ) {
    return "must be the name of a socket in the folder of device plugins";
  }
  const own = endpoint === KUBELET_SOCKET || endpoint.startsWith(".");
  return own ? "is not for plugins" : undefined;
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await Deno.lstat(path)).isSocket === true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
