/** The join room: node identities, and the answers to `POST /join` and to renewals. */
export { refuseForeignCa } from "./foreign_ca.ts";
export { createJoinHandler, type JoinAnswer } from "./handler.ts";
export { Identities } from "./identities.ts";
export { createJoin, type Join, type JoinOptions } from "./join.ts";
export type { IdentityVerdict, NodePeer } from "./verdict.ts";
export { type KubeconfigOptions, writeAdminKubeconfig } from "./kubeconfig.ts";
