import { strictEqual, throws } from "node:assert/strict";
import { ADMIN_KUBECONFIG, chooseKubeconfig } from "./client.ts";

Deno.test("chooseKubeconfig() takes --kubeconfig, then what exists of KUBECONFIG, then the hub's own", () => {
  const exists = (path: string): boolean => path === "/b";
  strictEqual(chooseKubeconfig("/given", "/b", exists), "/given");
  strictEqual(chooseKubeconfig("", "/a:/b:/c", exists), "/b");
  strictEqual(chooseKubeconfig("", "/b:/b", exists), "/b");
  strictEqual(chooseKubeconfig("", ":/a:", exists), "/a");
  strictEqual(chooseKubeconfig("", "", exists), ADMIN_KUBECONFIG);
  strictEqual(chooseKubeconfig("", undefined, exists), ADMIN_KUBECONFIG);
});

Deno.test("chooseKubeconfig() asks which one is meant where kubectl would merge several", () => {
  throws(
    () => chooseKubeconfig("", "/a:/b:/c", (path) => path !== "/b"),
    /\/a and \/c.*--kubeconfig/,
  );
  strictEqual(chooseKubeconfig("/a", "/a:/c", () => true), "/a");
});
