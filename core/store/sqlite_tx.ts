import type { Clock, Random } from "../base/mod.ts";
import { AppError } from "../base/mod.ts";
import { groupResource, type KubeObject, type ObjectRef, type ResourceDef } from "../api/mod.ts";
import { planDelete } from "./deletion.ts";
import { copyObject, deepEqual, deepFreeze, withVersion } from "./json.ts";
import type { Tx } from "./local.ts";
import { alreadyExists, checkPreconditions, failedPrecondition, notFound } from "./messages.ts";
import {
  generateName,
  type Outcome,
  planUpdate,
  prepareCreate,
  prepareWrite,
  storageNamespace,
} from "./semantics.ts";
import type { Change, SqliteReader } from "./sqlite_reader.ts";
import { guarded } from "./sqlite_errors.ts";
import { SqliteRows } from "./sqlite_rows.ts";
import type { Statements } from "./sqlite_statements.ts";
import type { DeleteOptions, Preconditions, UpdateOptions, WriteOptions } from "./store.ts";

/** What numbers have been given out; one row each in `counters`. */
export interface Counters {
  /** The newest version. */
  rv: number;
  /** The newest `seq` of a side table's row. */
  seq: number;
  /** The newest version whose event has been removed. */
  floor: number;
}

/** What a transaction needs from its store. */
export interface TxContext {
  readonly path: string;
  readonly sql: Statements;
  readonly reader: SqliteReader;
  readonly clock: Clock;
  readonly random: Random;
  readonly uid: () => string;
  readonly checkNamespaces: boolean;
}

/** Names that are tried for `generateName` before giving up; as many as Kubernetes tries. */
const NAME_TRIES = 8;

/**
 * One transaction. Every write first decides (pure, may throw) and then writes, so that a caller
 * may catch an `AppError` and go on. An error of SQLite itself makes the whole transaction fail:
 * see {@linkcode failed}.
 */
export class SqliteTx extends SqliteRows implements Tx {
  readonly #context: TxContext;
  readonly #changes: Change[] = [];

  constructor(context: TxContext, counters: Counters) {
    super(context.path, context.sql, { ...counters });
    this.#context = context;
  }

  /** What happened, in order; for the watches, after the commit. */
  get changes(): readonly Change[] {
    return this.#changes;
  }

  get(ref: ObjectRef): KubeObject | undefined {
    this.assertOpen();
    const { resource, name } = ref;
    const namespace = storageNamespace(resource, ref.namespace);
    return this.#context.reader.get(groupResource(resource), namespace, name);
  }

  list(resource: ResourceDef, namespace?: string): KubeObject[] {
    this.assertOpen();
    return [...this.#context.reader.scan({ resource: groupResource(resource), namespace })];
  }

  create(resource: ResourceDef, object: KubeObject, options: WriteOptions = {}): KubeObject {
    const { clock, random, uid } = this.#context;
    const next = prepareCreate(resource, object, { now: clock.now(), uid: uid(), random });
    const namespace = next.metadata.namespace;
    if (resource.namespaced) this.#checkNamespace(resource, next);
    const generated = !object.metadata.name;
    for (let tries = 1; this.get({ resource, name: next.metadata.name, ...within(namespace) });) {
      if (!generated || tries++ === NAME_TRIES) throw alreadyExists(resource, next.metadata.name);
      next.metadata.name = generateName(String(next.metadata.generateName), random);
    }
    return options.dryRun ? deepFreeze(next) : this.#insert(resource, next);
  }

  update(
    ref: ObjectRef,
    change: (current: KubeObject) => KubeObject,
    options: UpdateOptions = {},
  ): KubeObject {
    const current = this.#existing(ref);
    checkPreconditions(ref.resource, current, options.preconditions);
    const next = change(copyObject(current));
    const outcome = planUpdate(ref.resource, current, next, options.subresource);
    return this.#apply(ref.resource, current, outcome, options);
  }

  delete(ref: ObjectRef, options: DeleteOptions = {}): KubeObject {
    const current = this.#existing(ref);
    const outcome = planDelete(ref.resource, current, options, this.#context.clock.now());
    return this.#apply(ref.resource, current, outcome, options);
  }

  put(resource: ResourceDef, object: KubeObject): KubeObject {
    const next = prepareWrite(resource, object);
    const { name, namespace, uid } = next.metadata;
    if (!name) throw new AppError("BadRequest", "an object that is put must have a name");
    const current = this.get({ resource, name, ...within(namespace) });
    if (!current) return this.#insert(resource, next);
    next.metadata.resourceVersion = current.metadata.resourceVersion ?? "";
    if (deepEqual(next, current)) return current;
    if (uid === current.metadata.uid) return this.#replace(resource, current, next);
    // Another object of the same name: readers must see the old one go.
    this.#remove(resource, current);
    return this.#insert(resource, next);
  }

  purge(ref: ObjectRef, preconditions?: Preconditions): boolean {
    const current = this.get(ref);
    if (!current || failedPrecondition(current, preconditions)) return false;
    this.#remove(ref.resource, current);
    return true;
  }

  #existing(ref: ObjectRef): KubeObject {
    const current = this.get(ref);
    if (!current) throw notFound(ref.resource, ref.name);
    return current;
  }

  #checkNamespace(resource: ResourceDef, object: KubeObject): void {
    if (!this.#context.checkNamespaces) return;
    const { namespace = "", name } = object.metadata;
    const found = this.#context.reader.get("namespaces", "", namespace);
    if (!found) throw new AppError("NotFound", `namespaces "${namespace}" not found`);
    if (found.metadata.deletionTimestamp === undefined) return;
    throw new AppError(
      "Forbidden",
      `${groupResource(resource)} "${name}" is forbidden: unable to create new content in ` +
        `namespace ${namespace} because it is being terminated`,
    );
  }

  #apply(
    resource: ResourceDef,
    current: KubeObject,
    outcome: Outcome,
    options: WriteOptions,
  ): KubeObject {
    if (outcome.action === "keep") return current;
    if (outcome.action === "remove") {
      return options.dryRun ? current : this.#remove(resource, current);
    }
    return options.dryRun
      ? deepFreeze(outcome.object)
      : this.#replace(resource, current, outcome.object);
  }

  #insert(resource: ResourceDef, object: KubeObject): KubeObject {
    return this.#write("ADDED", resource, object, undefined, (rv, body) => {
      const { namespace = "", name } = object.metadata;
      this.#context.sql.insert.run(groupResource(resource), namespace, name, rv, body);
    });
  }

  #replace(resource: ResourceDef, current: KubeObject, object: KubeObject): KubeObject {
    return this.#write("MODIFIED", resource, object, current, (rv, body) => {
      const { changes } = this.#context.sql.replace.run(rv, body, versionOf(current));
      if (Number(changes) !== 1) throw vanished(current);
    });
  }

  #remove(resource: ResourceDef, current: KubeObject): KubeObject {
    return this.#write("DELETED", resource, current, current, () => {
      const { changes } = this.#context.sql.remove.run(versionOf(current));
      if (Number(changes) !== 1) throw vanished(current);
    });
  }

  /** Gives the change its version, writes the object by `store` and the event, notes it for watches. */
  #write(
    type: Change["type"],
    resource: ResourceDef,
    object: KubeObject,
    previous: KubeObject | undefined,
    store: (rv: number, body: string) => void,
  ): KubeObject {
    this.assertOpen();
    const { namespace = "", name } = object.metadata;
    const key = groupResource(resource);
    const rv = this.counters.rv + 1;
    const body = this.#context.reader.encode(key, object, rv);
    const at = this.#context.clock.now();
    const { logCreated, logChanged } = this.#context.sql;
    this.writing(() => {
      // The log copies the old state inside SQLite, so it goes first.
      if (previous) logChanged.run(rv, key, namespace, name, type, at, versionOf(previous));
      else logCreated.run(rv, key, namespace, name, type, at);
      store(rv, body);
    });
    this.counters.rv = rv;
    const after = withVersion(deepFreeze(object), rv);
    this.#changes.push({ rv, type, resource: key, object: after, previous });
    return after;
  }

  /** Removes a slice of events that are old enough; called once before each commit. */
  compact(keepEvents: number, keepFor: number, slice: number): void {
    const { rv, floor } = this.counters;
    if (rv - floor < keepEvents + slice) return;
    const target = floor + slice;
    const { sql, path, clock } = this.#context;
    const at = guarded(path, () => Number(sql.eventAt.get(target)?.["at"] ?? 0));
    const young = at > clock.now() - keepFor;
    // A flood of changes may not fill the disk: beyond four times the number, age does not matter.
    if (young && rv - floor < 4 * keepEvents) return;
    this.writing(() => sql.compact.run(target));
    this.counters.floor = target;
  }
}

function within(namespace: string | undefined): { namespace?: string } {
  return namespace === undefined ? {} : { namespace };
}

function versionOf(object: KubeObject): number {
  return Number(object.metadata.resourceVersion);
}

function vanished(object: KubeObject): AppError {
  const { name, resourceVersion } = object.metadata;
  return new AppError(
    "InternalError",
    `version ${resourceVersion} of "${name}" vanished inside a transaction`,
  );
}
