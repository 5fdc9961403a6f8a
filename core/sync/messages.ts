import { z } from "zod";
import { AppError } from "../base/mod.ts";
import type { KubeObject } from "../api/mod.ts";
import type { Message } from "../link/mod.ts";

/** Messages of docs/protocol.md section 3 that `core/link` does not handle by itself. */
const Seq = z.int().min(0);
const Name = z.string().max(512);

const KubeObjectShape = z.custom<KubeObject>((value) => {
  const object = value as Partial<KubeObject> | null | undefined;
  if (typeof object !== "object" || object === null || Array.isArray(object)) return false;
  const { apiVersion, kind, metadata } = object;
  return typeof apiVersion === "string" && typeof kind === "string" &&
    typeof metadata === "object" && metadata !== null && typeof metadata.name === "string" &&
    (metadata.namespace === undefined || typeof metadata.namespace === "string") &&
    (metadata.uid === undefined || typeof metadata.uid === "string");
}, "no Kubernetes object");

/** First message of a node. */
export const Hello = z.object({
  t: z.literal("hello"),
  protocol: z.int().min(1),
  /** Version of the agent. */
  agent: Name,
  /** Changes with every start of the agent. */
  bootId: Name,
  /** The hub history that the node's replica came from. */
  epoch: Name.optional(),
  /** Of the replica, see `digestOf`. */
  digest: Name.optional(),
  /** The newest `resourceVersion` of that history that the node has seen with a proof. */
  seen: Name.optional(),
  /** The proof that came with it. */
  proof: Name.optional(),
  /** Objects that the node keeps of older histories. */
  kept: Seq.optional(),
  features: z.array(Name).max(100).default([]),
});
/** @see {@linkcode Hello} */
export type Hello = z.infer<typeof Hello>;

/** The hub's answer. */
export const Welcome = z.object({
  t: z.literal("welcome"),
  protocol: z.int().min(1),
  /** Version of the hub. */
  hub: Name,
  session: Name,
  epoch: Name,
  heartbeatMs: z.number().min(50).max(600_000),
  sync: z.enum(["same", "have"]),
  /** Milliseconds since 1970, for nodes without a clock of their own. */
  serverTime: z.number(),
  /** See {@linkcode Server}. */
  serverAway: z.boolean().optional(),
});
/** @see {@linkcode Welcome} */
export type Welcome = z.infer<typeof Welcome>;

/** All objects of the node's replica. */
export const Have = z.object({
  t: z.literal("have"),
  /** uid, resource, namespace (empty for cluster-scoped), name, version. */
  items: z.array(z.tuple([Name, Name, Name, Name, Name])),
});
/** @see {@linkcode Have} */
export type Have = z.infer<typeof Have>;

/** Every difference has been sent. */
export const Snap = z.object({ t: z.literal("snap"), seq: Seq, count: Seq });
/** @see {@linkcode Snap} */
export type Snap = z.infer<typeof Snap>;

/** Create or replace. */
export const Put = z.object({
  t: z.literal("put"),
  seq: Seq,
  resource: Name,
  version: Name,
  object: KubeObjectShape,
  /** Given back in `hello`: the hub's own word that its history has reached the object's version. */
  proof: Name.optional(),
});
/** @see {@linkcode Put} */
export type Put = z.infer<typeof Put>;

/** The object with this uid is gone for this node. */
export const Del = z.object({
  t: z.literal("del"),
  seq: Seq,
  resource: Name,
  uid: Name,
  namespace: Name.optional(),
  name: Name,
  reason: z.enum(["deleted", "out-of-interest"]),
});
/** @see {@linkcode Del} */
export type Del = z.infer<typeof Del>;

/** All up to `seq` is committed at the node. */
export const Ack = z.object({ t: z.literal("ack"), seq: Seq });
/** @see {@linkcode Ack} */
export type Ack = z.infer<typeof Ack>;

/** Something that the node wants the hub to write. */
export const Intent = z.object({
  t: z.literal("intent"),
  seq: Seq,
  key: z.string().min(1).max(1024),
  kind: Name,
  body: z.unknown(),
});
/** @see {@linkcode Intent} */
export type Intent = z.infer<typeof Intent>;

/** The hub has committed, or refused, an intent. */
export const Result = z.object({
  t: z.literal("result"),
  seq: Seq,
  ok: z.boolean(),
  error: z.object({ code: Name, message: z.string(), retry: z.boolean() }).optional(),
});
/** @see {@linkcode Result} */
export type Result = z.infer<typeof Result>;

/** Dial `/v1/stream/<stream>` for this. */
export const Open = z.object({
  t: z.literal("open"),
  stream: z.string().regex(/^[0-9a-f]{16,64}$/),
  header: z.looseObject({ kind: Name }),
});
/** @see {@linkcode Open} */
export type Open = z.infer<typeof Open>;

/** Tell again how everything stands: somebody else has written what only the node can say. */
export const Report = z.object({ t: z.literal("report") });
/** @see {@linkcode Report} */
export type Report = z.infer<typeof Report>;

/** A person has said that what the node keeps of older histories may go, if the hub lacks it. */
export const Prune = z.object({ t: z.literal("prune") });
/** @see {@linkcode Prune} */
export type Prune = z.infer<typeof Prune>;

/** The hub's API server has gone away, or is back. */
export const Server = z.object({ t: z.literal("server"), away: z.boolean() });
/** @see {@linkcode Server} */
export type Server = z.infer<typeof Server>;

/** What a node may send. */
export const FromNode = z.discriminatedUnion("t", [Hello, Have, Ack, Intent]);
/** @see {@linkcode FromNode} */
export type FromNode = z.infer<typeof FromNode>;

/** What a hub may send. */
export const FromHub = z.discriminatedUnion("t", [
  Welcome,
  Snap,
  Put,
  Del,
  Result,
  Open,
  Report,
  Prune,
  Server,
]);
/** @see {@linkcode FromHub} */
export type FromHub = z.infer<typeof FromHub>;

/**
 * Reads a message by `schema`.
 *
 * @throws {AppError} BadRequest that names the type and the field; the session ends with 4400
 */
export function readMessage<T>(schema: z.ZodType<T>, message: Message): T {
  const result = schema.safeParse(message);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join(".") ?? "";
  throw new AppError(
    "BadRequest",
    `message ${message.t.slice(0, 64)}: ${where} ${issue?.message ?? "cannot be read"}`,
  );
}
