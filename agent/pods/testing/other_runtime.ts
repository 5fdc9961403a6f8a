import type { Runtime } from "../../runtimes/mod.ts";

/** `runtime`, but for the calls that `instead` has. */
export function otherRuntime(runtime: Runtime, instead: Partial<Runtime>): Runtime {
  return new Proxy(runtime, {
    get(target, name) {
      if (name in instead) return Reflect.get(instead, name);
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
