import assert from "node:assert/strict";
import type { Pod } from "../../core/api/mod.ts";
import { systemClock } from "../../core/base/mod.ts";
import type { ApiClient } from "../../cli/client.ts";
import { HOST_VIEW } from "../../core/parts/mod.ts";
import { runCommand } from "../../tools/containerd/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { type HubAt, podOf, podsOf, readyPod, shellPod, Site, stepsOf } from "./gateway_lib.ts";
import { until } from "./gateway_process_lib.ts";

const missing = lacks("containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-spec";
const MANIFEST = new URL("./manifests/whole_pod.yaml", import.meta.url).pathname;
/** Values that no file of hub or agent may hold. */
const SECRETS = ["correct-horse-battery", "staple-of-secrets", "rotated-horse-battery"];
/** Changes of a configMap whose way into the pod is timed. */
const CHANGES = 20;

/** Binds `/dev` to where the agent may look at it, as the unit and set-up do, unless it is there. */
async function showDevices(): Promise<AsyncDisposable> {
  const view = `${HOST_VIEW}/dev`;
  const mounts = await Deno.readTextFile("/proc/self/mounts");
  const absent = !mounts.includes(` ${view} `);
  if (absent) {
    await Deno.mkdir(view, { recursive: true });
    await runCommand("mount", ["--bind", "/dev", view]);
  }
  return {
    [Symbol.asyncDispose]: async () => {
      if (absent) await runCommand("umount", ["-l", view]);
    },
  };
}

/** What the shop's container has printed. */
async function logOf(site: Site, hub: HubAt, name: string): Promise<string> {
  return await site.kubectl(hub.kubeconfig, ["logs", name, "-c", "web"]);
}

async function patch(api: ApiClient, path: string, change: unknown): Promise<void> {
  await api.request("PATCH", path, change, "application/merge-patch+json");
}

/**
 * Files below `dir` that hold one of {@linkcode SECRETS}, in clear or as base64. What is removed while
 * it is looked for, as sets of volumes are, holds nothing.
 */
async function leaks(dir: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await orGone(Array.fromAsync(Deno.readDir(dir))) ?? []) {
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory) found.push(...await leaks(path));
    if (!entry.isFile) continue;
    const text = new TextDecoder("latin1").decode(await orGone(Deno.readFile(path)));
    const told = SECRETS.some((one) => text.includes(one) || text.includes(btoa(one)));
    if (told) found.push(path);
  }
  return found;
}

/** `undefined` when what is read is not there. */
async function orGone<T>(read: Promise<T>): Promise<T | undefined> {
  return await read.catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return undefined;
  });
}

/** The folder of the pod's volumes of a kind, on the disk or in memory. */
function volume(site: Site, pod: Pod, place: "disk" | "memory", path: string): string {
  const { uid = "" } = pod.metadata;
  if (place === "disk") return `${site.folder}/${NODE}/agent/pods/${uid}/volumes/${path}`;
  const [own] = [...Deno.readDirSync(`${site.folder}/memory`)];
  return `${site.folder}/memory/${own?.name}/pods/${uid}/volumes/${path}`;
}

Deno.test({
  name: `a manifest that uses most of a pod's fields runs unchanged${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      site.hold(await showDevices());
      const containerd = await site.containerd();
      const hub = await site.hub();
      const api = await site.client(hub.kubeconfig);
      await site.agent(NODE, {
        hub: `127.0.0.1:${hub.nodePort}`,
        token: await site.token(hub, NODE),
        cri: containerd.socket,
        flags: [`--pod-cidr=${containerd.subnet}`],
      });
      let pod: Pod;

      await step("all that it asks for is there", async () => {
        await site.kubectl(hub.kubeconfig, ["apply", "-f", MANIFEST]);
        const [made] = await until("the pod is made", async () => {
          const pods = await podsOf(api, "app=shop");
          return pods.length > 0 && pods;
        });
        pod = await readyPod(api, made?.metadata.name ?? "");
        const { name } = pod.metadata;
        const log = await until("it has said all", async () => {
          const text = await logOf(site, hub, name);
          return text.includes("\nready\n") && text;
        });
        const lines = log.split("\nready\n")[0]?.split("\n");
        assert.deepEqual(lines, [
          `env hello till $(UNKNOWN) $(NAME)|debug|correct-horse-battery||250|16|5432|${NODE}`,
          "service 5432 tcp",
          "ids 1000:3000 3000 2000 4000",
          "host till 1",
          "dns search shop.example nameserver 192.0.2.53 options ndots:2 ",
          "files colour=blue 1 9lives LEVEL app.properties labels one two ",
          "secret correct-horse-battery 440:2000",
          "memory tmpfs tmpfs ",
          "data prepared by 1000 2777:2000",
          `down app="shop" pod-template-hash="${pod.metadata.labels?.["pod-template-hash"]}" ` +
          'team="front \\"end\\"" 50',
          `logs 2777:2000 ${(await Deno.readTextFile("/etc/os-release")).slice(0, 6)}`,
          "device char",
          "sysctl 80",
          "caps CapBnd:0000000000000400",
          "priv NoNewPrivs:1 Seccomp:2",
          "root read-only",
        ]);
        const mine = volume(site, pod, "disk", `kubernetes.io~empty-dir/logs/${name}/mine`);
        assert.equal(await Deno.readTextFile(mine), "mine\n");
        assert.equal(pod.spec.priority, 1000);
        // A shell would drop a variable that it cannot name.
        const bare = ["exec", name, "-c", "web", "--", "cat", "/proc/self/environ"];
        const variables = (await site.kubectl(hub.kubeconfig, bare)).split("\0");
        assert.ok(variables.includes("9lives=cat"), variables.join("\n"));
      });

      await step("a changed configMap shows as one set, within half a second", async () => {
        const { name } = pod.metadata;
        const file = volume(site, pod, "disk", "kubernetes.io~projected/all/..data/two");
        const took: number[] = [];
        for (let turn = 2; turn < 2 + CHANGES; turn++) {
          await patch(api, "/api/v1/namespaces/default/configmaps/shop", {
            data: { one: `${turn}`, two: `${turn}` },
          });
          const asked = systemClock.monotonic();
          await until("the change is there", async () =>
            await Deno.readTextFile(file).catch(() => "") === `${turn}`);
          took.push(systemClock.monotonic() - asked);
        }
        const last = `seen ${CHANGES + 1}/${CHANGES + 1}`;
        const log = await until("the pod has seen the last", async () => {
          const text = await logOf(site, hub, name);
          return text.includes(last) && text;
        });
        for (const [, one, two] of log.matchAll(/^seen (\d+)\/(\d+)$/gm)) {
          assert.equal(one, two);
        }
        took.sort((a, b) =>
          a - b
        );
        const [half, most] = [took[CHANGES / 2] ?? 0, took.at(-1) ?? 0];
        await Deno.stderr.write(
          new TextEncoder().encode(
            `configMap to pod: median ${half.toFixed(0)} ms, most ${most.toFixed(0)} ms\n`,
          ),
        );
        assert.ok(half < 500, `median ${half} ms`);
      });

      await step("keys go, optional objects come, labels and secrets change", async () => {
        const at = (place: "disk" | "memory", path: string): string =>
          volume(site, pod, place, path);
        await patch(api, "/api/v1/namespaces/default/configmaps/shop", {
          data: { LEVEL: null },
        });
        await until("the key is gone", async () => {
          const found = await Deno.lstat(at("disk", "kubernetes.io~projected/all/LEVEL")).catch(
            () => undefined,
          );
          return found === undefined;
        });
        await site.kubectl(hub.kubeconfig, ["create", "configmap", "late", "--from-literal=k=v"]);
        await until("the optional one is there", async () =>
          await Deno.readTextFile(at("disk", "kubernetes.io~configmap/late/k")).catch(() => "") ===
            "v");
        await site.kubectl(hub.kubeconfig, ["label", "pod", pod.metadata.name, "shelf=top"]);
        await until("the label is there", async () =>
          (await Deno.readTextFile(at("disk", "kubernetes.io~downward-api/pod/labels"))).includes(
            'shelf="top"',
          ));
        await patch(api, "/api/v1/namespaces/default/secrets/shop", {
          stringData: { password: "rotated-horse-battery" },
        });
        await until("the new password is there", async () =>
          await Deno.readTextFile(at("memory", "kubernetes.io~secret/secrets/password")) ===
            "rotated-horse-battery");
      });

      await step("no file of hub or agent on the disk holds a secret", async () => {
        // On a cluster the hub keeps nothing on its disk.
        if (hub.embedded) {
          assert.deepEqual(await leaks(`${site.folder}/hub`), []);
        }
        assert.deepEqual(await leaks(`${site.folder}/${NODE}/agent`), []);
      });

      await step("hostPaths without a look are made, others say what to allow", async () => {
        const path = (name: string): string =>
          `${site.folder}/${name}/deep`;
        const pod = shellPod("host", "touch /made/x /untyped/x && sleep 1000", {
          volumes: [
            { name: "made", hostPath: { path: path("made"), type: "DirectoryOrCreate" } },
            { name: "untyped", hostPath: { path: path("untyped") } },
          ],
        });
        pod["spec"].containers[0].volumeMounts = ["made", "untyped"].map((name) => ({
          name,
          mountPath: `/${name}`,
        }));
        await site.apply(hub.kubeconfig, pod);
        await readyPod(api, "host");
        for (const name of ["made", "untyped"]) {
          await until("it has written", () =>
            Deno.stat(`${path(name)}/x`).catch(() =>
              undefined
            ));
        }
        await site.apply(
          hub.kubeconfig,
          shellPod("look", "true", {
            volumes: [{ name: "v", hostPath: { path: site.folder, type: "Directory" } }],
          }),
        );
        const text = `start the agent with --host-paths=${site.folder}`;
        await until(
          "the Event is there",
          async () =>
            (await site.kubectl(hub.kubeconfig, ["get", "events"])).includes(text),
        );
      });

      await step(
        "what the node cannot do is refused, with the field in condition and Event",
        async () => {
          const bad = shellPod("bad", "sleep 1000", { hostUsers: false });
          await site.apply(hub.kubeconfig, bad);
          const text = "This node does not support spec.hostUsers: user namespaces are not made";
          await until("the pod says why", async () => {
            const seen = await podOf(api, "bad");
            return seen?.status?.conditions?.some(({ type, message }) =>
              type === "skerry.dev/Supported" && message === text
            );
          });
          const events = await site.kubectl(hub.kubeconfig, ["get", "events"]);
          assert.ok(events.includes(text), events);
        },
      );

      await step(
        "a RuntimeClass that is absent is refused, one without a handler is told of",
        async () => {
          const none = await site.tryKubectl(hub.kubeconfig, ["apply", "-f", "-"], {
            stdin: JSON.stringify(shellPod("none", "true", { runtimeClassName: "none" })),
          });
          assert.match(none.err, /pod rejected: RuntimeClass "none" not found/);
          await site.apply(hub.kubeconfig, {
            apiVersion: "node.k8s.io/v1",
            kind: "RuntimeClass",
            metadata: { name: "kata" },
            handler: "kata",
          }, shellPod("kata", "true", { runtimeClassName: "kata" }));
          await until("the Event is there", async () =>
            /FailedCreatePodSandBox .*kata/.test(
              await site.kubectl(hub.kubeconfig, ["get", "events"]),
            ));
          const classes = await site.kubectl(hub.kubeconfig, ["get", "runtimeclass,priorityclass"]);
          assert.match(classes, /plain +runc/);
          assert.match(classes, /system-node-critical +2000001000 +false/);
        },
      );
    }),
});
