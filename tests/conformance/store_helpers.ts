import assert from "node:assert/strict";
import { type ErrorCode, isAppError } from "../../core/base/mod.ts";
import {
  apiVersionOf,
  type KubeObject,
  type ObjectRef,
  type ResourceDef,
  RESOURCES,
} from "../../core/api/mod.ts";
import type { Watch, WatchEvent } from "../../core/store/mod.ts";

/** A change, without the bookmarks. */
export type ChangeEvent = Exclude<WatchEvent, { type: "BOOKMARK" }>;

/** Reads a watch event by event. */
export class WatchReader {
  readonly #events: AsyncIterator<WatchEvent>;

  constructor(watch: Watch) {
    this.#events = watch[Symbol.asyncIterator]();
  }

  /** The next event, which must come. */
  async next(): Promise<WatchEvent> {
    const { done, value } = await this.#events.next();
    assert.ok(!done, "the watch ended");
    return value;
  }

  /** The next event that is no bookmark. */
  async change(): Promise<ChangeEvent> {
    for (;;) {
      const event = await this.next();
      if (event.type !== "BOOKMARK") return event;
    }
  }

  /** The next `count` changes, as `TYPE name`. */
  async changes(count: number): Promise<string[]> {
    const out: string[] = [];
    while (out.length < count) {
      const { type, object } = await this.change();
      out.push(`${type} ${object.metadata.name}`);
    }
    return out;
  }

  /** Asserts that the watch is over. */
  async ended(): Promise<void> {
    assert.equal((await this.#events.next()).done, true);
  }

  /** Asserts that the watch fails with an `AppError` of `code`, after what it still has to say. */
  async fails(code: ErrorCode): Promise<void> {
    await rejectsWith(
      (async () => {
        for (;;) await this.next();
      })(),
      code,
    );
  }
}

/** Asserts that `promise` rejects with an `AppError` of `code`. */
export async function rejectsWith(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(isAppError(error, code), `expected ${code}, got ${error}`);
    return true;
  });
}

/** An object of `resource` in namespace `a` with these fields. */
export function sample(
  resource: ResourceDef,
  name: string,
  fields: Record<string, unknown> & { metadata?: Partial<KubeObject["metadata"]> } = {},
): KubeObject {
  const { metadata = {}, ...rest } = fields;
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: { name, ...(resource.namespaced ? { namespace: "a" } : {}), ...metadata },
    ...rest,
  };
}

/** Names what {@linkcode sample} makes. */
export function refTo(resource: ResourceDef, name: string, namespace = "a"): ObjectRef {
  return resource.namespaced ? { resource, namespace, name } : { resource, name };
}

/** A ConfigMap in namespace `a`. */
export function configMap(name: string, fields: Record<string, unknown> = {}): KubeObject {
  return sample(RESOURCES.configmaps, name, { data: { key: "value" }, ...fields });
}

/** A Deployment in namespace `a` that a real API server accepts too. */
export function deployment(name: string, replicas = 1): KubeObject {
  return sample(RESOURCES.deployments, name, {
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: "c", image: "i" }] },
      },
    },
  });
}

/** A Pod in namespace `a`, bound to `node` when given. */
export function pod(name: string, node?: string, grace = 30): KubeObject {
  return sample(RESOURCES.pods, name, {
    spec: {
      ...(node === undefined ? {} : { nodeName: node }),
      terminationGracePeriodSeconds: grace,
      containers: [{ name: "c", image: "i" }],
    },
  });
}
