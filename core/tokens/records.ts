import { z } from "zod";

/** One use of a token: which node joined with which key. */
const TokenUse = z.object({
  node: z.string(),
  /** SHA-256 of the public key, hex. */
  keyId: z.string(),
  /** Unix milliseconds. */
  at: z.number(),
});

/** What a token's Secret carries. */
export const TokenRecord = z.object({
  id: z.string(),
  /** SHA-256 of the secret part, hex. The secret itself is nowhere. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** A node name, or a pattern with `*` and `?`. */
  node: z.string().max(253),
  createdAt: z.number(),
  expiresAt: z.number(),
  /** How many nodes may join with it. */
  uses: z.number().int(),
  /** Whether it may take the name of a node that has joined. */
  replace: z.boolean(),
  revoked: z.boolean(),
  joins: z.array(TokenUse),
});
/** What a token's Secret carries. */
export type TokenRecord = z.infer<typeof TokenRecord>;

/** What a node's identity Secret carries. */
export const IdentityRecord = z.object({
  node: z.string(),
  /** SHA-256 of the public key of the newest certificate, hex. */
  keyId: z.string(),
  /** Fingerprint of the newest certificate. */
  current: z.string(),
  /** Fingerprint of the one that it replaced on renewal, still good: the answer may get lost. */
  previous: z.string().optional(),
  /** SHA-256 of the public key of its CA, hex. Absent: written before this was. */
  caKey: z.string().optional(),
  joinedAt: z.number(),
  renewedAt: z.number().optional(),
  /** Id of the token it joined with. */
  token: z.string(),
  /** Set when the identity was shut out; a new join clears it. */
  revoked: z.object({ at: z.number(), reason: z.string() }).optional(),
  /** The Node object that this identity made; its disappearance shuts the identity out. */
  nodeUid: z.string().optional(),
});
/** What a node's identity Secret carries. */
export type IdentityRecord = z.infer<typeof IdentityRecord>;
