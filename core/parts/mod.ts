/** The parts room: what each process is started with, its options and its permissions. */
export { type OptionForm, SERVICE_CIDR_BITS } from "./forms.ts";
export * from "./options.ts";
export * from "./parts.ts";
export * from "./permissions.ts";
export * from "./ready.ts";
export * from "./part_end.ts";
export * from "./process.ts";
export * from "./usage.ts";
export * from "./version.ts";
export * from "./platform.ts";
export * from "./socket_hosts.ts";
export * from "./device_sockets.ts";
