import { type KubeObject, RESOURCES, type Secret } from "../../core/api/mod.ts";
import {
  type Clock,
  errorText,
  failureLevel,
  type Logger,
  ms,
  type Random,
  seconds,
  type Service,
  WorkQueue,
} from "../../core/base/mod.ts";
import { Informer } from "../../core/cache/mod.ts";
import type { Store } from "../../core/store/mod.ts";
import { CA_SECRET, caOf, type HubCa, SYSTEM_NAMESPACE, writeCa } from "../../core/tokens/mod.ts";

/** Options of {@linkcode caWatch}. */
export interface CaWatchOptions {
  readonly store: Store;
  /** What this hub began with, and works with to its end. */
  readonly ca: HubCa;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * Keeps the CA's Secret. A running hub has what was in it: one that is deleted is put back, or the
 * next hub that starts would have none, and no node would come back. One that was changed is left to
 * whoever did it; the log says what comes of that.
 */
export function caWatch(options: CaWatchOptions): Service {
  const { store, ca, clock, random, log } = options;
  const secrets = new Informer<Secret>({
    ...options,
    resource: RESOURCES.secrets,
    selection: { namespace: SYSTEM_NAMESPACE, fieldSelector: `metadata.name=${CA_SECRET}` },
  });
  const key = `${SYSTEM_NAMESPACE}/${CA_SECRET}`;
  const check = async (): Promise<void> => {
    const secret = secrets.view.get(key);
    if (!secret) {
      if (await writeCa(store, ca)) log.warn("the CA's Secret was deleted: it is put back", {});
      return;
    }
    const error = faultOf(secret, ca);
    if (error !== undefined) {
      log.error(
        "the CA's Secret was changed: this hub goes on with the CA that it began with, the next " +
          "one that starts cannot. Restore tls.crt and tls.key from a copy, or delete the Secret " +
          "while this hub runs, which then puts it back",
        { secret: key, error },
      );
    }
  };
  return {
    name: "ca",
    onFailure: "restart",
    async run(signal, ready) {
      const queue = new WorkQueue({
        ...{ clock, random },
        backoff: { base: ms(200), cap: seconds(10) },
      });
      const look = (): void => queue.add(key);
      using _told = secrets.subscribe({ added: look, updated: look, deleted: look });
      const running = secrets.run(signal);
      await Promise.race([secrets.synced.catch(() => {}), running]);
      if (signal.aborted) return;
      queue.add(key);
      ready();
      await queue.run(check, {
        workers: 1,
        signal,
        onError: (_, error) =>
          log[failureLevel(error)]("the CA's Secret is not kept", { error: errorText(error) }),
      });
      await running;
    },
  };
}

/** What is wrong with the Secret for a hub that works with `ca`. */
function faultOf(secret: KubeObject, ca: HubCa): string | undefined {
  try {
    return caOf(secret).fingerprint === ca.fingerprint ? undefined : "it holds another CA";
  } catch (error) {
    return errorText(error);
  }
}
