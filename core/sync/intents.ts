import type { KubeObject } from "../api/mod.ts";
import { z } from "zod";
import { AppError, type Ms } from "../base/mod.ts";
import type { Store } from "../store/mod.ts";
import { applyEvent, EventBody } from "./intent_event.ts";
import { applyFunctionStatus, FunctionStatusBody } from "./intent_function.ts";
import { applyNode, NodeBody } from "./intent_node.ts";
import {
  applyPodGone,
  applyPodMirror,
  applyPodStatus,
  PodGoneBody,
  PodMirrorBody,
  PodStatusBody,
} from "./intent_pod.ts";
import type { KubeletEndpoint } from "./kubelet_endpoint.ts";
import type { NodeWord } from "./node_word.ts";
import type { ObjectKey } from "./object_key.ts";
import type { Intent } from "./messages.ts";

/** Whose intent it is, and what it is applied to. */
export interface IntentContext {
  /** From the certificate. */
  readonly node: string;
  /** Where the node's own objects are written, as the node where the store knows who writes. */
  readonly store: Store;
  /** Where the hub itself writes, what no node may. @default {`store`} */
  readonly own?: Store;
  readonly now: Ms;
  /** Whether the node may see this: the same answer that filters replication. */
  readonly mayHave: (key: ObjectKey) => boolean;
  /** The object as the hub's view has it, when the node may see it. @default {nothing is known} */
  readonly seen?: (key: ObjectKey) => KubeObject | undefined;
  /** Is told which version of an object the node's word for it has made. @default {nobody is told} */
  readonly wrote?: (key: ObjectKey, version: string) => void;
  /**
   * Throws when the node is shut out (it must not make its deleted Node object again), or its
   * identity is not bound to the Node of this uid, when there is one.
   */
  readonly checkIdentity: (nodeUid?: string) => Promise<void>;
  /** Whether the node's Events may take so many bytes more now; counts them. @default {always} */
  readonly takeEventBytes?: (bytes: number) => boolean;
  /**
   * Where an API server finds this node's kubelet, asked when it is written: its port may open in the
   * meantime. @default {what the node says, and no port}
   */
  readonly kubelet?: () => KubeletEndpoint | undefined;
  /** Told what the node says of itself, once it is stored. @default {nobody is told} */
  readonly said?: (word: NodeWord) => void;
}

interface IntentKind<T> {
  readonly body: z.ZodType<T>;
  /** What the key must be; keys of others would let one row hide another. */
  key(body: T): string;
  apply(context: IntentContext, body: T): Promise<void>;
}

function kind<T>(
  body: z.ZodType<T>,
  key: (body: T) => string,
  apply: (context: IntentContext, body: T) => Promise<void>,
): IntentKind<unknown> {
  return { body, key, apply } as IntentKind<unknown>;
}

/** Every kind of intent (docs/protocol.md 5). Unknown ones are refused, not retried. */
const KINDS: Readonly<Record<string, IntentKind<unknown>>> = {
  "node": kind(NodeBody, () => "node", applyNode),
  "pod-status": kind(PodStatusBody, (body) => `pod-status/${body.uid}`, applyPodStatus),
  "pod-gone": kind(PodGoneBody, (body) => `pod-gone/${body.uid}`, applyPodGone),
  "pod-mirror": kind(
    PodMirrorBody,
    (body) => `pod-mirror/${body.pod.metadata.uid ?? ""}`,
    applyPodMirror,
  ),
  "event": kind(
    EventBody,
    ({ event: { metadata } }) => `event/${metadata.namespace ?? ""}/${metadata.name}`,
    applyEvent,
  ),
  "function-status": kind(
    FunctionStatusBody,
    (body) => `function-status/${body.uid}`,
    applyFunctionStatus,
  ),
};

/** The kinds of intents. */
export const INTENT_KINDS: readonly string[] = Object.keys(KINDS);

/**
 * Applies one intent of a node. Idempotent in effect.
 *
 * @throws {AppError} Unsupported for an unknown kind, BadRequest for a body that cannot be read,
 * Invalid for what must not be stored, TooManyRequests, Forbidden or NotFound for what is not (any more) the node's, and what the store throws
 */
export async function applyIntent(
  context: IntentContext,
  intent: Pick<Intent, "key" | "kind" | "body">,
): Promise<void> {
  const handler = Object.hasOwn(KINDS, intent.kind) ? KINDS[intent.kind] : undefined;
  if (!handler) {
    throw new AppError("Unsupported", `this hub does not know intents of kind "${intent.kind}"`);
  }
  try {
    await applyKind(handler, context, intent);
  } catch (error) {
    // Misuse that a body brought about: it would come back for ever, and stay what it is.
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    const why = `intent ${intent.kind} cannot be applied: its body is not what the kind wants`;
    throw new AppError("Invalid", why, { cause: error });
  }
}

async function applyKind(
  handler: IntentKind<unknown>,
  context: IntentContext,
  intent: Pick<Intent, "key" | "kind" | "body">,
): Promise<void> {
  const parsed = handler.body.safeParse(intent.body);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue?.path.join(".") ?? "";
    throw new AppError("BadRequest", `intent ${intent.kind}: ${field} ${issue?.message ?? ""}`);
  }
  const key = handler.key(parsed.data);
  if (key !== intent.key) {
    throw new AppError("BadRequest", `intent ${intent.kind} has key ${intent.key}, not ${key}`);
  }
  await handler.apply(context, parsed.data);
}
