/**
 * The tokens room: the hub's own Secrets (its CA, join tokens, what identities are made of) and the
 * names of its Leases. The hub has them, and so has a person's command line on a cluster.
 */
export { CA_SECRET, caOf, ensureCa, type HubCa, readCa, writeCa } from "./ca.ts";
export { HUB_LABEL, KUBELET_ANNOTATION, LEADER_LEASE, PEER_ANNOTATION } from "./hub_leases.ts";
export { decodeRecord, encodeRecord, recordSecret } from "./record.ts";
export { IdentityRecord, TokenRecord } from "./records.ts";
export { ensureSystemNamespace, IDENTITY_LABEL, SYSTEM_NAMESPACE, systemSecret } from "./system.ts";
export { formatToken, isTokenId, type JoinToken, parseToken, randomToken } from "./token_text.ts";
export {
  type CreateTokenOptions,
  TOKEN_LIMITS,
  type TokenInfo,
  Tokens,
  type TokenView,
  viewOfToken,
} from "./tokens.ts";
