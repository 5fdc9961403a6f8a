/** The plugins room: device plugins, as a kubelet serves them, and what they give to pods. */
export { DevicePlugins, type DevicePluginsOptions } from "./device_plugins.ts";
