import { deepStrictEqual, throws } from "node:assert/strict";
import type { Node } from "../../core/api/mod.ts";
import { parseTaints, withTaints } from "./register_taints.ts";

Deno.test("parseTaints() reads taints as a kubelet does", () => {
  deepStrictEqual(parseTaints([]), []);
  deepStrictEqual(
    parseTaints(["example.com/edge=:NoSchedule", "plant=a-1:NoExecute", "slow:PreferNoSchedule"]),
    [
      { key: "example.com/edge", effect: "NoSchedule" },
      { key: "plant", value: "a-1", effect: "NoExecute" },
      { key: "slow", effect: "PreferNoSchedule" },
    ],
  );
});

for (
  const [texts, why] of [
    [["edge"], /the effect is one of/],
    [["edge:noschedule"], /the effect is one of/],
    [[":NoSchedule"], /"" is not the key/],
    [["a b:NoSchedule"], /"a b" is not the key/],
    [["a=b c:NoSchedule"], /"b c" is not the value/],
    [["a=1:NoSchedule", "a=2:NoSchedule"], /=a=2:NoSchedule: there is one/],
  ] as const
) {
  Deno.test(`parseTaints() refuses ${texts.join(" ")}`, () => {
    throws(() => parseTaints(texts), why);
  });
}

Deno.test("withTaints() adds what the node lacks, and changes nothing else", () => {
  const node: Node = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n" },
    spec: { unschedulable: true, taints: [{ key: "a", value: "now", effect: "NoSchedule" }] },
  };
  const added = withTaints(node, parseTaints(["a=then:NoSchedule", "a:NoExecute"]));
  deepStrictEqual(added.spec, {
    unschedulable: true,
    taints: [{ key: "a", value: "now", effect: "NoSchedule" }, { key: "a", effect: "NoExecute" }],
  });
});
