import { groupResource, type ResourceDef } from "../api/mod.ts";
import { AppError, type Clock, type Random } from "../base/mod.ts";
import type { Selection, Watch, WatchOptions } from "../store/mod.ts";
import { type Lists, selectors } from "./lists.ts";
import { pathOf } from "./paths.ts";
import { RemoteWatch, watchSeconds } from "./remote_watch.ts";
import type { ResourceClient } from "./resource_client.ts";
import type { VersionMark } from "./version_mark.ts";

/** Options of {@linkcode Watches}. */
export interface WatchesOptions {
  readonly client: ResourceClient;
  readonly lists: Lists;
  readonly clock: Clock;
  readonly random: Random;
  /** What is known of the server's versions. */
  readonly mark: VersionMark | undefined;
}

/** Opens watches of a resource, from a version of the server's present history. */
export class Watches {
  readonly #options: WatchesOptions;

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  /** See `Store.watch`. */
  async watch(resource: ResourceDef, options: WatchOptions = {}): Promise<Watch> {
    const { resourceVersion, buffer = 1000 } = options;
    const { clock, lists, mark } = this.#options;
    if (resourceVersion !== undefined && !/^\d+$/.test(resourceVersion)) {
      throw new AppError("BadRequest", `${JSON.stringify(resourceVersion)} is no version`);
    }
    const controller = new AbortController();
    // How often the server had gone back when this watch got its version; absent as long as that is
    // another's, from nobody knows when.
    let turns = resourceVersion === undefined ? mark?.now().turns : undefined;
    const isPresent = (version: string): boolean =>
      !mark ||
      (turns === undefined ? mark.isPresent(resource, version) : turns === mark.now().turns);
    const open = async (version: string, signal: AbortSignal) => {
      const now = await lists.versionNow(resource, options, signal);
      if (BigInt(version) > BigInt(now) || !isPresent(version)) {
        // A server restored from an older copy takes a version that it has not reached yet, and says
        // nothing until it has; of another history, a version means nothing even then.
        throw new AppError(
          "Expired",
          `version ${version} of ${
            groupResource(resource)
          } is not of the server's history, which ` +
            `is at ${now}: it was restored from an older copy`,
        );
      }
      turns = mark?.now().turns;
      return await this.#open(resource, version, options, signal);
    };
    const start = resourceVersion === undefined
      ? await lists.firstPage(resource, options)
      : { resourceVersion, body: await open(resourceVersion, controller.signal) };
    return new RemoteWatch({
      what: `watch of ${groupResource(resource)}`,
      clock,
      buffer,
      start,
      controller,
      open,
      saw: (version) => mark?.saw(resource, version),
    });
  }

  async #open(
    resource: ResourceDef,
    resourceVersion: string,
    selection: Selection,
    signal: AbortSignal,
  ) {
    const { client, random } = this.#options;
    const { namespace } = selection;
    return await client.open(resource, {
      path: pathOf(resource, namespace ? { namespace } : {}),
      signal,
      query: {
        ...selectors(selection),
        watch: true,
        resourceVersion,
        allowWatchBookmarks: true,
        timeoutSeconds: watchSeconds(random),
      },
    });
  }
}
