import { ms, sleep, systemClock } from "../../core/base/mod.ts";

import type { Site } from "../e2e/gateway_lib.ts";

/** A hub, and where it is asked whether it is ready. */
export interface Probed {
  readonly port: number;
  readonly probe: string;
}

/** One of a site's replicas. */
export function probedReplica(site: Site, index: number): Probed {
  return {
    port: site.port(`hub${index}-node`),
    probe: `http://127.0.0.1:${site.port(`hub${index}-metrics`)}/readyz`,
  };
}

/** The ports of hubs that are ready, as a Service has them: by a probe, twice a second. */
export class ReadyPorts implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #ready: readonly number[] = [];

  /** `hubs` are asked for each time. */
  constructor(hubs: () => readonly Probed[]) {
    this.#running = this.#run(hubs);
  }

  /** Those that were ready a moment ago. */
  get ports(): readonly number[] {
    return this.#ready;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(hubsNow: () => readonly Probed[]): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const hubs = hubsNow();
      const answers = await Promise.all(hubs.map(({ probe }) => isReady(probe)));
      this.#ready = hubs.filter((_, index) => answers[index]).map(({ port }) => port);
      await sleep(systemClock, ms(500), signal).catch(() => {});
    }
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    // One that is gone is not ready.
    return false;
  }
}
