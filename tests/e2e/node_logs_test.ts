import assert from "node:assert/strict";
import { lacks } from "../../tools/test/needs.ts";
import { readyPod, shellPod, Site } from "./gateway_lib.ts";
import { until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-logs";
/**
 * A line, and when /tmp/go is there 3,999 more in some 28 s, then it waits: sizes are looked at every
 * 10 s. Whoever comes to a log after it was rotated does not see its beginning.
 */
const PRINT = "echo line 0; until [ -e /tmp/go ]; do sleep 0.1; done; " +
  'i=1; while [ $i -lt 4000 ]; do echo "line $i"; i=$((i+1)); ' +
  "[ $((i % 100)) -eq 0 ] && sleep 0.7; done; sleep 1000";

Deno.test({
  name:
    `a container's log is rotated by size and count, and kubectl logs -f misses nothing${skipped}`,
  ignore: missing !== undefined,
  fn: () =>
    Site.run(async (site) => {
      const containerd = await site.containerd();
      const hub = await site.hub();
      const api = await site.client(hub.kubeconfig);
      await site.agent(NODE, {
        hub: `127.0.0.1:${hub.nodePort}`,
        token: await site.token(hub, NODE),
        cri: containerd.socket,
        flags: [
          `--pod-cidr=${containerd.subnet}`,
          "--container-log-max-size=16Ki",
          "--container-log-max-files=3",
        ],
      });
      await site.apply(hub.kubeconfig, shellPod("talker", PRINT));
      const { metadata } = await readyPod(api, "talker");
      const follow = site.start("kubectl logs -f", [
        ...site.kubectlCommand(hub.kubeconfig, ["logs", "-f", "talker"]),
      ]);
      await follow.prints(/line 0\n/);
      await site.kubectl(hub.kubeconfig, ["exec", "talker", "--", "touch", "/tmp/go"]);
      const folder = `${site.folder}/${NODE}/logs/default_talker_${metadata.uid}/main`;
      const names = async (): Promise<string[]> =>
        (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();

      await until(
        "the log is rotated twice, and what was rotated first is compressed",
        async () => {
          const found = await names();
          return found.length === 3 && found.some((name) => name.endsWith(".gz"));
        },
        60,
      );
      await follow.prints(/line 3999\n/, 60);
      const lines = follow.output.trimEnd().split("\n");
      assert.deepEqual(lines, Array.from({ length: 4000 }, (_, i) => `line ${i}`));
      // As with a kubelet, what is not followed is the present file alone.
      const present = await site.kubectl(hub.kubeconfig, ["logs", "talker"]);
      assert.ok(follow.output.endsWith(present) && present.length < follow.output.length, present);

      await site.kubectl(hub.kubeconfig, ["delete", "pod", "talker", "--wait"]);
      await until("nothing of the log is left", async () => {
        return await Deno.stat(folder).then(() => false, () => true);
      });
    }),
});
