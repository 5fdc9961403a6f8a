import { match, strictEqual } from "node:assert/strict";
import { HUB_OPTIONS, parseOptions } from "../../core/parts/mod.ts";
import { unreachableKubelets } from "./loopback.ts";

function said(...args: string[]): string | undefined {
  return unreachableKubelets(parseOptions(HUB_OPTIONS, args));
}

Deno.test("unreachableKubelets() names what a hub lacks that an API server elsewhere is to call", () => {
  const both =
    /unless the API server .* --kubelet-address HOST.*now 127.* and --api-address IP.*now 127/;
  match(said() ?? "", both);
  match(
    said("--kubelet-address=::1", "--api-address=::") ?? "",
    /--kubelet-address HOST.*now ::1\)$/,
  );
  match(said("--kubelet-address=localhost", "--api-address=10.0.0.5") ?? "", /now localhost\)$/);
  match(
    said("--kubelet-address=hub.example.com") ?? "",
    /with --api-address IP, .*now 127\.0\.0\.1/,
  );
  strictEqual(said("--kubelet-address=10.0.0.5", "--api-address=0.0.0.0"), undefined);
  strictEqual(said("--kubelet-address=hub.example.com", "--api-address=::"), undefined);
});
