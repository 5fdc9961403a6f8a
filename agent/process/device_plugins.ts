import { DevicePlugins } from "../plugins/mod.ts";
import type { Runtime } from "../runtimes/mod.ts";
import type { Base } from "./base.ts";

/** The device plugins of this node; `undefined` where it takes none. */
export function createDevicePlugins(
  base: Base,
  runtime: Runtime | undefined,
  changed: () => void,
): DevicePlugins | undefined {
  const folder = base.options["device-plugins"];
  if (!runtime || folder === "none") return undefined;
  return new DevicePlugins({
    ...base,
    folder,
    changed,
    nativeCdi: (signal) => resolvesCdi(runtime, signal),
  });
}

/** Whether the runtime reads CDI specs by itself: containerd does so unasked from 2.0 on. */
async function resolvesCdi(runtime: Runtime, signal: AbortSignal): Promise<boolean> {
  const { name, version } = await runtime.info(signal);
  return name !== "containerd" || Number(/^v?(\d+)\./.exec(version)?.[1] ?? 0) >= 2;
}
