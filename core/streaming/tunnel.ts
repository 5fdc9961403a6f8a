import { z } from "zod";
import { AppError } from "../base/mod.ts";

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

/** Reads what the other side of the tunnel says. @throws {AppError} BadRequest that names the field */
export function readHeader<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join(".") ?? "";
  throw new AppError("BadRequest", `a stream's header cannot be read: ${field} ${issue?.message}`);
}
