import type { ResourceDef } from "../object.ts";
import { WasmFunctionSpec } from "../wasm_function.ts";
import { APP_KINDS } from "./apps.ts";
import { DEVICE_KINDS } from "./devices.ts";
import { OPERATION_KINDS } from "./operations.ts";
import { POLICY_KINDS } from "./policy.ts";
import { RULE_KINDS } from "./rules.ts";
import { anything, type CustomKind, once } from "./schema.ts";

const KINDS: Readonly<Record<string, Readonly<Record<string, () => CustomKind>>>> = {
  "devices.kubeedge.io": DEVICE_KINDS,
  "rules.kubeedge.io": RULE_KINDS,
  "apps.kubeedge.io": APP_KINDS,
  "operations.kubeedge.io": OPERATION_KINDS,
  "policy.kubeedge.io": POLICY_KINDS,
  "skerry.dev": {
    WasmFunction: once(() => ({
      description: "A WASM function: a module, when it runs, and what it may use.",
      spec: WasmFunctionSpec,
      status: anything("What was last observed."),
      specRequired: true,
    })),
  },
};

/** What a kind that is not Kubernetes' own is like; `undefined` for Kubernetes' own. */
export function customKind(
  { group, kind }: Pick<ResourceDef, "group" | "kind">,
): CustomKind | undefined {
  const kinds = Object.hasOwn(KINDS, group) ? KINDS[group] : undefined;
  return kinds && Object.hasOwn(kinds, kind) ? kinds[kind]?.() : undefined;
}
