/** The plane room: the embedded control plane, a scheduler and the controllers of the core kinds. */
export { createPlane, type PlaneOptions } from "./plane.ts";
export { DEFAULT_NAMESPACES, ensureNamespaces } from "./namespaces.ts";
export { logUnreadable } from "./unreadable.ts";
export { PodAdmission } from "./pod_admission.ts";
