/**
 * The tokens room: the hub's own Secrets: its CA, join tokens and what identities are made of. The
 * hub has them, and so has a person's command line on a cluster.
 */
export { CA_SECRET, ensureCa, type HubCa, readCa } from "./ca.ts";
export { decodeRecord, encodeRecord, recordSecret } from "./record.ts";
export { IdentityRecord, TokenRecord } from "./records.ts";
export { ensureSystemNamespace, SYSTEM_NAMESPACE, systemSecret } from "./system.ts";
export { formatToken, isTokenId, type JoinToken, parseToken, randomToken } from "./token_text.ts";
export {
  type CreateTokenOptions,
  type TokenInfo,
  Tokens,
  type TokenView,
  viewOfToken,
} from "./tokens.ts";
