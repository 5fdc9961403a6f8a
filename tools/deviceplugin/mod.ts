/** A real device plugin for tests. */
export { buildDevicePlugin } from "./build.ts";
export { type PluginLine, TestPlugin } from "./kit.ts";
