// The CRDs in charts/skerry/crds on a real API server.
import assert from "node:assert/strict";
import { customKind, type KubeObject, RESOURCE_LIST } from "../../core/api/mod.ts";
import {
  buildKube,
  isEstablished,
  KubeCluster,
  openCluster,
  untilServed,
} from "../../tools/kube/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { acceptedManifests, FOLDER, refusedManifests } from "../golden/kubeedge/manifests.ts";

const CRDS = new URL("../../charts/skerry/crds/", import.meta.url).pathname;

/** Runs kubectl as administrator; standard output, or all output when it fails. */
async function kubectl(
  cluster: KubeCluster,
  args: readonly string[],
  stdin = "",
): Promise<{ code: number; out: string }> {
  const child = new Deno.Command(cluster.programs.kubectl, {
    args: [`--kubeconfig=${cluster.kubeconfig}`, `--cache-dir=${cluster.dir}/cache`, ...args],
    env: { HOME: cluster.dir },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const text = (data: Uint8Array): string => new TextDecoder().decode(data);
  return { code, out: code === 0 ? text(stdout) : text(stdout) + text(stderr) };
}

Deno.test({
  name: "a real API server takes the CRDs, the manifests of KubeEdge's users, and refuses bad ones",
  ignore: lacks("kube") !== undefined,
  fn: async (t) => {
    const dir = await Deno.makeTempDir({ prefix: "skerry-crds-" });
    await using cluster = await KubeCluster.start(await buildKube(), dir);
    const ok = async (args: readonly string[], stdin?: string): Promise<string> => {
      const { code, out } = await kubectl(cluster, args, stdin);
      assert.equal(code, 0, `kubectl ${args.join(" ")}: ${out}`);
      return out;
    };
    const kinds = RESOURCE_LIST.filter(customKind);

    await t.step("all CRDs are established, and none is said not to be structural", async () => {
      await ok(["apply", "-f", CRDS]);
      // Not by `kubectl wait`, which fails on a kind that has no conditions yet.
      const read = async (): Promise<KubeObject[]> =>
        JSON.parse(await ok(["get", "crd", "-o", "json"])).items;
      await until("all kinds are established", async () => (await read()).every(isEstablished));
      const all = await read();
      assert.equal(all.length, kinds.length);
      for (const { metadata, status } of all) {
        const types = status.conditions.map(({ type }: { type: string }) => type).sort();
        assert.deepEqual(types, ["Established", "NamesAccepted"], metadata.name);
      }
      await using open = await openCluster(cluster.kubeconfig);
      await untilServed(open.client);
    });

    await t.step("manifests apply and keep all their fields", async () => {
      const served = await ok(["apply", "-f", `${FOLDER}accepted.yaml`]);
      const objects = await acceptedManifests();
      assert.equal(served.trim().split("\n").length, objects.length, served);
      for (const { kind, metadata, spec } of objects) {
        const name = `${kind.toLowerCase()}/${metadata.name}`;
        const stored = JSON.parse(await ok(["get", name, "-o", "json"]));
        assert.deepEqual(stored.spec, spec, name);
      }
      const again = await ok(["apply", "-f", `${FOLDER}accepted.yaml`]);
      assert.doesNotMatch(again, /created|configured/);
    });

    await t.step("bad manifests are refused with the field that is wrong", async () => {
      for (const { object, expect } of await refusedManifests()) {
        const { code, out } = await kubectl(
          cluster,
          ["create", "-f", "-"],
          JSON.stringify(object),
        );
        assert.equal(code, 1, `${object.metadata.name}: ${out}`);
        assert.ok(out.includes(expect), `${expect} in ${out}`);
      }
    });

    await t.step("kubectl get shows the columns, by short names too", async () => {
      const head = async (kind: string): Promise<string> =>
        (await ok(["get", kind])).split("\n")[0]?.replace(/ +/g, " ").trim() ?? "";
      assert.equal(await head("devices"), "NAME MODEL NODE PROTOCOL ACTED-ON AGE");
      assert.equal(await head("ng"), "NAME NODES MATCH-LABELS AGE");
      assert.equal(await head("eapp"), "NAME AVAILABLE REASON AGE");
      assert.equal(await head("re"), "NAME TYPE ACTED-ON AGE");
      assert.equal(await head("saaccess"), "NAME ACCOUNT ACTED-ON AGE");
      assert.equal(await head("nodeupgradejobs"), "NAME VERSION PHASE ACTED-ON AGE");
      assert.equal(await head("wf"), "NAME READY REASON INVOCATIONS NODES DESIRED AGE");
      const row = (await ok(["get", "device", "meter-1", "--no-headers"])).split(/ +/);
      assert.deepEqual(row.slice(0, 4), ["meter-1", "meter-model", "gateway-1", "modbus"]);
    });

    await t.step("kubectl explain knows the fields", async () => {
      const explains = async (path: string, text: RegExp): Promise<void> => {
        // The published schemas come a moment after the kinds.
        await until(`${path} is explained`, async () => {
          assert.match(await ok(["explain", path]), text);
          return true;
        });
      };
      await explains(
        "edgeapplication.spec.workloadScope.targetNodeGroups",
        /overriders\s+<Object>/,
      );
      await explains("wf.spec.limits", /memory\s+</);
      await explains("devicemodel.spec.properties.type", /INT/);
    });

    await t.step("status is a subresource where KubeEdge has one, and only there", async () => {
      for (const { plural, group, hasStatus, namespaced } of kinds) {
        const [one] = JSON.parse(await ok(["get", `${plural}.${group}`, "-o", "json"])).items;
        const conditions = [{ type: "skerry.dev/ActedOn", status: "False", reason: "NotActedOn" }];
        const status = JSON.stringify({ status: { phase: "Init", conditions } });
        const { code } = await kubectl(cluster, [
          "patch",
          `${plural}.${group}`,
          one.metadata.name,
          ...(namespaced ? ["-n", "default"] : []),
          "--subresource=status",
          "--type=merge",
          "-p",
          status,
        ]);
        assert.equal(code === 0, hasStatus, plural);
      }
    });
  },
});
