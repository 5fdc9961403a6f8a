import assert from "node:assert/strict";
import { createCriRuntime } from "../../agent/runtimes/mod.ts";
import { type PodBench, startBench, testPod } from "../../agent/pods/testing/mod.ts";
import { type ContainerStatus, type Pod, RESOURCES } from "../../core/api/mod.ts";
import { silentLogger, systemClock } from "../../core/base/mod.ts";
import { type Containerd, startContainerd } from "../../tools/containerd/mod.ts";
import { busyboxLayer, TEST_IMAGES, writeTar } from "../../tools/images/mod.ts";
import {
  type ImageContent,
  REGISTRY_USER,
  startRegistry,
  startSlowRegistry,
} from "../../tools/registry/mod.ts";
import { needsRegistry } from "./containerd.ts";

type Policy = "Always" | "IfNotPresent" | "Never";

const LAYER = await busyboxLayer().catch(() => new Uint8Array());
/** What nobody has yet, so that it must be fetched. */
function imageOf(size = 1000): ImageContent {
  const data = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) {
    crypto.getRandomValues(data.subarray(at, Math.min(size, at + 65536)));
  }
  const own = writeTar([{ kind: "file", path: "payload", mode: 0o644, data }]);
  return { layers: [LAYER, own], cmd: ["sleep", "1000"] };
}

async function bench(containerd: Containerd): Promise<PodBench> {
  const { socket: socketPath } = containerd;
  return await startBench({
    connect: () =>
      createCriRuntime({ socketPath, clock: systemClock, log: silentLogger, node: "n1" }),
  });
}

function podOf(
  name: string,
  image: string,
  policy: Policy,
  spec: Record<string, unknown> = {},
): Pod {
  return testPod(name, {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: "main", image, imagePullPolicy: policy }],
    ...spec,
  });
}

function statusOf(pods: PodBench, name: string): ContainerStatus | undefined {
  return pods.pod(name)?.status?.containerStatuses?.[0];
}

async function runs(pods: PodBench, name: string): Promise<ContainerStatus> {
  return await pods.until(`${name} runs`, () => {
    const status = statusOf(pods, name);
    return status?.state.running && status;
  });
}

/** Waits until a pod waits for `reason`; answers what it says of that. */
async function waits(pods: PodBench, name: string, reason: string): Promise<string> {
  return await pods.until(`${name} waits for ${reason}`, () => {
    const waiting = statusOf(pods, name)?.state.waiting;
    return waiting?.reason === reason && waiting.message;
  });
}

/** What was told of a pod, with what changes from run to run taken out. */
function said(pods: PodBench, name: string): string[] {
  return pods.events.filter(({ uid }) => uid === `uid-${name}`).map(({ event }) =>
    `${event.reason}: ${
      event.message.replace(/[0-9.]+m?s\b/g, "TIME").replace(/\d+ bytes/, "SIZE")
    }`
  );
}

/** Writes the secret `name` with what to say to the registry `host`. */
function putLogin(
  pods: PodBench,
  host: string,
  login: { username: string; password: string },
  name = "login",
): void {
  const data = { ".dockerconfigjson": btoa(JSON.stringify({ auths: { [host]: login } })) };
  pods.store.transact((tx) =>
    tx.put(RESOURCES.secrets, {
      apiVersion: "v1",
      kind: "Secret",
      type: "kubernetes.io/dockerconfigjson",
      metadata: { name, namespace: "default", uid: name },
      data,
    })
  );
}

async function gone(pods: PodBench, ...names: string[]): Promise<void> {
  for (const name of names) pods.remove(name, 0);
  await pods.until("they have gone", () => names.every((name) => !pods.pod(name)));
}

Deno.test({
  ...await needsRegistry("images come from a real registry"),
  async fn(t) {
    await using containerd = await startContainerd();
    await using registry = await startRegistry();
    await using slow = startSlowRegistry(registry.host);
    for (const { host } of [registry, slow]) await containerd.allowPlainHttp(host);
    await using pods = await bench(containerd);
    const asked = (part: string): number => slow.asked.filter((one) => one.includes(part)).length;

    await t.step("an image is pulled, and its digest stands in the status", async () => {
      const { ref, digest } = await registry.push("app/first:1", imageOf());
      pods.put(podOf("first", ref, "IfNotPresent"));
      const { image, imageID } = await runs(pods, "first");
      assert.deepEqual([image, imageID], [ref, `${registry.host}/app/first@${digest}`]);
      assert.deepEqual(said(pods, "first"), [
        `Pulling: Pulling image "${ref}"`,
        `Pulled: Successfully pulled image "${ref}" in TIME (TIME including waiting). ` +
        "Image size: SIZE.",
        "Created: Created container: main",
        "Started: Started container main",
      ]);
    });

    await t.step("an image is found by its digest", async () => {
      const { digest } = await registry.push("app/exact:1", imageOf());
      const ref = `${registry.host}/app/exact@${digest}`;
      pods.put(podOf("exact", ref, "IfNotPresent"));
      assert.equal((await runs(pods, "exact")).imageID, ref);
      await gone(pods, "first", "exact");
    });

    await t.step("Always asks the registry each time, IfNotPresent and Never do not", async () => {
      await registry.push("app/policy:1", imageOf());
      const ref = `${slow.host}/app/policy:1`;
      pods.put(podOf("never", ref, "Never"));
      const never = `Container image "${ref}" is not present with pull policy of Never`;
      assert.equal(await waits(pods, "never", "ErrImageNeverPull"), never);
      assert.equal(asked("policy"), 0);
      pods.put(podOf("one", ref, "IfNotPresent"));
      await runs(pods, "one");
      const before = asked("policy");
      pods.put(podOf("two", ref, "IfNotPresent"));
      pods.put(podOf("three", ref, "Never"));
      await Promise.all([runs(pods, "two"), runs(pods, "three")]);
      assert.equal(asked("policy"), before);
      const present = `Pulled: Container image "${ref}" already present on machine`;
      assert.equal(said(pods, "two")[0], present);
      assert.equal(said(pods, "three")[0], present);
      pods.put(podOf("four", ref, "Always"));
      await runs(pods, "four");
      assert.ok(asked("policy/manifests") > 0 && asked("policy") > before);
      await gone(pods, "never", "one", "two", "three", "four");
      assert.deepEqual(said(pods, "never").slice(0, 2), [
        `ErrImageNeverPull: ${never}`,
        "Failed: Error: ErrImageNeverPull",
      ]);
    });

    await t.step(
      "an image that is not there: the pod waits, says why, and gets it later",
      async () => {
        const ref = `${registry.host}/app/late:1`;
        pods.put(podOf("late", ref, "IfNotPresent"));
        const why = await waits(pods, "late", "ErrImagePull");
        assert.match(why, /failed to resolve reference .*app\/late:1.* not found/);
        const later = await waits(pods, "late", "ImagePullBackOff");
        assert.equal(later, `Back-off pulling image "${ref}": ErrImagePull: ${why}`);
        assert.equal(pods.pod("late")?.status?.phase, "Pending");
        assert.deepEqual(said(pods, "late").slice(0, 5), [
          `Pulling: Pulling image "${ref}"`,
          `Failed: Failed to pull image "${ref}": ${why}`,
          "Failed: Error: ErrImagePull",
          `BackOff: Back-off pulling image "${ref}"`,
          "Failed: Error: ImagePullBackOff",
        ]);
        await registry.push("app/late:1", imageOf());
        await runs(pods, "late");
        await gone(pods, "late");
      },
    );

    await t.step("two pods share one slow pull, and a third does not wait for it", async () => {
      await registry.push("app/slow:1", imageOf(1_000_000));
      const ref = `${slow.host}/app/slow:1`;
      // Slower than anything else that is waited for.
      slow.speed = 5000;
      pods.put(podOf("slow-a", ref, "IfNotPresent"));
      pods.put(podOf("slow-b", ref, "Always"));
      await pods.until("the pull is under way", () => asked("slow/blobs") > 0);
      pods.put(podOf("quick", TEST_IMAGES.busybox, "IfNotPresent", {
        containers: [{ name: "main", image: TEST_IMAGES.busybox, command: ["sleep", "1000"] }],
      }));
      await runs(pods, "quick");
      for (const name of ["slow-a", "slow-b"]) {
        assert.equal(statusOf(pods, name)?.state.waiting?.reason, "ContainerCreating");
      }
      slow.speed = Infinity;
      await Promise.all([runs(pods, "slow-a"), runs(pods, "slow-b")]);
      const blobs = slow.asked.filter((one) => one.startsWith("GET") && one.includes("slow/blobs"));
      assert.equal(blobs.length, new Set(blobs).size, "no blob is fetched twice");
      await gone(pods, "slow-a", "slow-b", "quick");
    });

    await t.step("a pod that is deleted in the middle of a pull goes at once", async () => {
      await registry.push("app/stuck:1", imageOf(1_000_000));
      slow.speed = 1000;
      pods.put(podOf("stuck", `${slow.host}/app/stuck:1`, "IfNotPresent"));
      await pods.until("the pull is under way", () => asked("stuck/blobs") > 0);
      await gone(pods, "stuck");
      slow.speed = Infinity;
    });

    await t.step(
      "a registry that dies in the middle of a pull and returns costs a wait",
      async () => {
        await registry.push("app/cut:1", imageOf(3_000_000));
        slow.speed = 100_000;
        const ref = `${slow.host}/app/cut:1`;
        pods.put(podOf("cut", ref, "IfNotPresent"));
        await pods.until("the pull is under way", () => asked("cut/blobs") > 0);
        await registry.stop();
        slow.cut();
        await waits(pods, "cut", "ErrImagePull");
        await waits(pods, "cut", "ImagePullBackOff");
        slow.speed = Infinity;
        await registry.start();
        await runs(pods, "cut");
        // One more than have failed: where the registry is back late, the second does too.
        const count = (what: string): number =>
          said(pods, "cut").filter((one) => one.startsWith(what)).length;
        const failures = count("Failed: Failed to pull image");
        assert.ok(failures >= 1);
        assert.equal(count("Pulling"), failures + 1);
        await gone(pods, "cut");
      },
    );

    await t.step(
      "an image that is there is enough while the registry is away, but for Always",
      async () => {
        const { ref } = await registry.push("app/kept:1", imageOf());
        pods.put(podOf("kept", ref, "IfNotPresent"));
        await runs(pods, "kept");
        await registry.stop();
        pods.put(podOf("again", ref, "IfNotPresent"));
        await runs(pods, "again");
        pods.put(podOf("always", ref, "Always"));
        await waits(pods, "always", "ErrImagePull");
        await registry.start();
        await runs(pods, "always");
      },
    );
  },
});

Deno.test({
  ...await needsRegistry("a registry that asks who pulls"),
  async fn(t) {
    await using containerd = await startContainerd();
    await using registry = await startRegistry({ auth: true });
    await containerd.allowPlainHttp(registry.host);
    await using pods = await bench(containerd);
    const { ref } = await registry.push("team/app:1", imageOf());
    const secrets = { imagePullSecrets: [{ name: "login" }] };

    await t.step("without a name nothing is pulled, and the pod says why", async () => {
      pods.put(podOf("nobody", ref, "IfNotPresent"));
      assert.match(
        await waits(pods, "nobody", "ErrImagePull"),
        /401 Unauthorized|authorization failed|no basic auth/,
      );
      await waits(pods, "nobody", "ImagePullBackOff");
      await gone(pods, "nobody");
    });

    await t.step(
      "a wrong password is refused; with the right one the pod gets its image",
      async () => {
        putLogin(pods, registry.host, { ...REGISTRY_USER, password: "wrong" });
        pods.put(podOf("guest", ref, "IfNotPresent", secrets));
        await waits(pods, "guest", "ErrImagePull");
        await waits(pods, "guest", "ImagePullBackOff");
        putLogin(pods, registry.host, REGISTRY_USER);
        await runs(pods, "guest");
      },
    );

    await t.step("of two secrets for one registry the one that helps is found", async () => {
      const other = await registry.push("team/other:1", imageOf());
      putLogin(pods, registry.host, { ...REGISTRY_USER, password: "old" }, "old");
      const imagePullSecrets = [{ name: "old" }, { name: "login" }];
      pods.put(podOf("both", other.ref, "IfNotPresent", { imagePullSecrets }));
      await runs(pods, "both");
      assert.deepEqual(said(pods, "both").filter((one) => one.startsWith("Failed")), []);
    });

    await t.step(
      "an image that is there needs no password; a secret that is lost is told",
      async () => {
        pods.put(podOf("late", ref, "IfNotPresent", { imagePullSecrets: [{ name: "lost" }] }));
        await runs(pods, "late");
        const told = said(pods, "late").filter((one) => one.startsWith("FailedToRetrieve"));
        assert.equal(told.length, 1);
        assert.match(told[0] ?? "", /image pull secrets \(lost\)/);
      },
    );
  },
});
