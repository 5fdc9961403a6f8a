import { z } from "zod";
import { AppError } from "../base/mod.ts";
import { PROTOCOL_NAME, PROTOCOLS_CAP } from "./offer.ts";
import { ARGUMENTS_CAP, PORTS_CAP } from "./target.ts";

/** Characters of a kubelet path with its query. */
const PATH_CAP = 8192;

/** Asks a node for a plain answer of its kubelet (docs/protocol.md 6). */
export const RequestHeader = z.looseObject({
  kind: z.literal("request"),
  method: z.enum(["GET", "POST"]),
  path: z.string().max(PATH_CAP).regex(/^\/(?!\/)/),
});
/** @see {@linkcode RequestHeader} */
export type RequestHeader = z.infer<typeof RequestHeader>;

/** What a node says of the answer's body, in its answer to a {@linkcode RequestHeader}. */
export const ResponseHead = z.looseObject({
  status: z.int().min(200).max(599),
  type: z.string().max(200).regex(/^[\x20-\x7e]*$/),
});
/** @see {@linkcode ResponseHead} */
export type ResponseHead = z.infer<typeof ResponseHead>;

const Name = z.string().min(1).max(253);
const ProtocolName = z.string().regex(PROTOCOL_NAME);

/** Asks a node for a stream of its runtime: exec, attach or port-forward (docs/protocol.md 6). */
export const UpgradeHeader = z.looseObject({
  kind: z.literal("upgrade"),
  namespace: Name,
  pod: Name,
  uid: Name,
  target: z.discriminatedUnion("kind", [
    z.object({
      kind: z.literal("remote-command"),
      command: z.array(z.string()).min(1).max(ARGUMENTS_CAP).readonly().exactOptional(),
      container: Name,
      stdin: z.boolean(),
      stdout: z.boolean(),
      stderr: z.boolean(),
      tty: z.boolean(),
    }),
    z.object({
      kind: z.literal("port-forward"),
      ports: z.array(z.int().min(1).max(65_535)).max(PORTS_CAP).readonly(),
    }),
  ]),
  offer: z.object({
    upgrade: z.enum(["SPDY/3.1", "websocket"]),
    protocols: z.array(ProtocolName).max(PROTOCOLS_CAP).readonly(),
  }),
});
/** @see {@linkcode UpgradeHeader} */
export type UpgradeHeader = z.infer<typeof UpgradeHeader>;

/** What a node says of the stream: the subprotocol that its runtime chose, empty for none. */
export const UpgradedHead = z.looseObject({ protocol: z.literal("").or(ProtocolName) });
/** @see {@linkcode UpgradedHead} */
export type UpgradedHead = z.infer<typeof UpgradedHead>;

/** Reads what the other side of the tunnel says. @throws {AppError} BadRequest that names the field */
export function readHeader<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join(".") ?? "";
  throw new AppError("BadRequest", `a stream's header cannot be read: ${field} ${issue?.message}`);
}
