/**
 * The join room: the hub's CA, join tokens, node identities, and the answers to `POST /join` and to
 * renewals.
 */
export { ensureCa, type HubCa } from "./ca.ts";
export { createJoinHandler, type JoinAnswer } from "./handler.ts";
export { Identities, type IdentityVerdict, type NodePeer } from "./identities.ts";
export { createJoin, type Join, type JoinOptions } from "./join.ts";
export { type KubeconfigOptions, writeAdminKubeconfig } from "./kubeconfig.ts";
export { type IdentityRecord, type TokenRecord } from "./records.ts";
export { SYSTEM_NAMESPACE } from "./system.ts";
export { formatToken, type JoinToken, parseToken } from "./token_text.ts";
export { type CreateTokenOptions, type TokenInfo, Tokens } from "./tokens.ts";
