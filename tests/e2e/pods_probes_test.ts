import assert from "node:assert/strict";
import { createCriRuntime } from "../../agent/runtimes/mod.ts";
import { type PodBench, startBench, testPod } from "../../agent/pods/testing/mod.ts";
import type { Container, ContainerStatus, Pod } from "../../core/api/mod.ts";
import { silentLogger, systemClock } from "../../core/base/mod.ts";
import { type Containerd, startContainerd } from "../../tools/containerd/mod.ts";
import { TEST_IMAGES } from "../../tools/images/mod.ts";
import { needsContainerd } from "./containerd.ts";

/** Folder of the test that the containers see as `/shared`. */
type Shared = (file: string) => string;

function probed(name: string, script: string, container: Partial<Container>, shared: Shared): Pod {
  return testPod(name, {
    terminationGracePeriodSeconds: 1,
    volumes: [{ name: "shared", hostPath: { path: shared("") } }],
    containers: [{
      name: "main",
      image: TEST_IMAGES.busybox,
      imagePullPolicy: "IfNotPresent",
      command: ["sh", "-c", script],
      volumeMounts: [{ name: "shared", mountPath: "/shared" }],
      ...container,
    }],
  });
}

function statusOf(pods: PodBench, name: string): ContainerStatus | undefined {
  return pods.pod(name)?.status?.containerStatuses?.[0];
}

async function ready(pods: PodBench, name: string, wanted = true): Promise<void> {
  await pods.until(`${name} is ${wanted ? "" : "not "}ready`, () => {
    const condition = pods.pod(name)?.status?.conditions?.find((one) => one.type === "Ready");
    return condition?.status === (wanted ? "True" : "False") &&
      statusOf(pods, name)?.ready === wanted;
  });
}

async function told(pods: PodBench, name: string, reason: string, words: RegExp): Promise<void> {
  await pods.until(
    `${reason} ${words} of ${name}`,
    () =>
      pods.events.some(({ uid, event }) =>
        uid === `uid-${name}` && event.reason === reason && words.test(event.message)
      ),
  );
}

/** A gRPC health server in this process, on the pods' bridge; `serving` is what it answers. */
function healthServer(
  hostname: string,
): { port: number; serving: boolean; services: Set<string> } & AsyncDisposable {
  const made = { port: 0, serving: true, services: new Set<string>() };
  const server = Deno.serve({ hostname, port: 0, onListen: () => {} }, async (request) => {
    made.services.add((await request.text()).slice(7));
    return new Response(Uint8Array.of(0, 0, 0, 0, 2, 8, made.serving ? 1 : 2), {
      headers: { "content-type": "application/grpc" },
    });
  });
  made.port = server.addr.port;
  return Object.assign(made, { [Symbol.asyncDispose]: () => server.shutdown() });
}

/** Passes connections to a port of the pods' bridge on to a unix socket. */
function passOn(hostname: string, socket: string): { port: number } & Disposable {
  const listener = Deno.listen({ hostname, port: 0 });
  const pass = async (conn: Deno.Conn): Promise<void> => {
    const peer = await Deno.connect({ transport: "unix", path: socket });
    await Promise.all([
      conn.readable.pipeTo(peer.writable),
      peer.readable.pipeTo(conn.writable),
    ]);
  };
  const run = async (): Promise<void> => {
    // A probe that leaves early breaks its own connection only.
    for await (const conn of listener) pass(conn).catch(() => {});
  };
  run().catch(() => {});
  return { port: listener.addr.port, [Symbol.dispose]: () => listener.close() };
}

async function bench(containerd: Containerd): Promise<PodBench> {
  const { socket: socketPath } = containerd;
  return await startBench({
    connect: () =>
      createCriRuntime({ socketPath, clock: systemClock, log: silentLogger, node: "n1" }),
  });
}

Deno.test({
  ...await needsContainerd("probes decide over pods on a real containerd"),
  async fn(t) {
    await using containerd = await startContainerd();
    await using pods = await bench(containerd);
    const folder = await Deno.makeTempDir({ prefix: "skerry-probes-" });
    await Deno.chmod(folder, 0o755);
    const shared: Shared = (file) => `${folder}/${file}`;
    const touch = (file: string): Promise<void> => Deno.writeTextFile(shared(file), "");

    await t.step("readiness over HTTP follows what the server says", async () => {
      pods.put(probed("web", "exec httpd -f -p 8080 -h /shared", {
        ports: [{ name: "web", containerPort: 8080 }],
        readinessProbe: { httpGet: { port: "web", path: "/ready" }, periodSeconds: 1 },
      }, shared));
      await told(
        pods,
        "web",
        "Unhealthy",
        /^Readiness probe failed: HTTP probe failed with statuscode: 404$/,
      );
      await ready(pods, "web", false);
      await pods.until("it has started", () => statusOf(pods, "web")?.started);
      await touch("ready");
      await ready(pods, "web");
      await Deno.remove(shared("ready"));
      await ready(pods, "web", false);
      assert.equal(statusOf(pods, "web")?.restartCount, 0);
    });

    await t.step("an agent that starts again finds a ready container ready", async () => {
      await touch("ready");
      await ready(pods, "web");
      await pods.stop();
      const seen: (boolean | undefined)[] = [];
      const before = pods.pod("web")?.metadata.resourceVersion;
      await pods.start();
      await pods.until("the probe is asked again", () => {
        seen.push(statusOf(pods, "web")?.ready);
        return seen.length > 100;
      });
      assert.deepEqual(new Set(seen), new Set([true]));
      assert.equal(pods.pod("web")?.metadata.resourceVersion, before);
    });

    await t.step(
      "a liveness probe by command that fails for good restarts the container",
      async () => {
        await touch("alive");
        pods.put(probed("live", "exec sleep 1000", {
          livenessProbe: {
            exec: { command: ["cat", "/shared/alive"] },
            periodSeconds: 1,
            // A busy machine may take its time, and a restart is counted here.
            timeoutSeconds: 10,
            failureThreshold: 2,
          },
        }, shared));
        await ready(pods, "live");
        await Deno.remove(shared("alive"));
        await told(
          pods,
          "live",
          "Unhealthy",
          /^Liveness probe failed: cat: can't open '\/shared\/alive'/,
        );
        await told(pods, "live", "Killing", /main failed liveness probe, will be restarted$/);
        await touch("alive");
        await pods.until("it runs again", () => {
          const status = statusOf(pods, "live");
          return status?.restartCount === 1 && status.ready;
        });
        assert.equal(statusOf(pods, "live")?.lastState.terminated?.exitCode, 137);
      },
    );

    await t.step("nothing else is asked before the startup probe has succeeded", async () => {
      pods.put(probed("slow", "exec httpd -f -p 80 -h /shared", {
        startupProbe: {
          httpGet: { port: 80, path: "/up" },
          periodSeconds: 1,
          failureThreshold: 60,
        },
        livenessProbe: { exec: { command: ["touch", "/shared/asked"] }, periodSeconds: 1 },
      }, shared));
      await told(pods, "slow", "Unhealthy", /^Startup probe failed: HTTP/);
      assert.equal(statusOf(pods, "slow")?.started, false);
      await ready(pods, "slow", false);
      await assert.rejects(Deno.stat(shared("asked")), Deno.errors.NotFound);
      await touch("up");
      await ready(pods, "slow");
      await pods.until(
        "liveness is asked",
        () => Deno.stat(shared("asked")).catch(() => undefined),
      );
    });

    await t.step("a startup probe that fails for good restarts the container", async () => {
      pods.put(probed("never", "exec sleep 1000", {
        startupProbe: { tcpSocket: { port: 81 }, periodSeconds: 1, failureThreshold: 2 },
      }, shared));
      await told(
        pods,
        "never",
        "Unhealthy",
        /^Startup probe failed: dial tcp [0-9.]+:81: connect: connection refused$/,
      );
      await told(pods, "never", "Killing", /failed startup probe, will be restarted$/);
      await pods.until("it is started again", () => statusOf(pods, "never")?.restartCount === 1);
    });

    await t.step("readiness over TCP and gRPC", async () => {
      // busybox has no gRPC: the pod passes its port on to a server of this test.
      const gateway = containerd.subnet.replace(/0\/24$/, "1");
      await using health = healthServer(gateway);
      // What ends its answers with trailers, as all but this test's own server do.
      using real = passOn(gateway, containerd.socket);
      const readinessProbe = { grpc: { port: 50, service: "db" }, periodSeconds: 1 };
      const script = `nc -ll -p 51 -e nc ${gateway} ${real.port} & ` +
        `exec nc -ll -p 50 -e nc ${gateway} ${health.port}`;
      pods.put(probed("rpc", script, {
        startupProbe: { grpc: { port: 51 }, periodSeconds: 1, failureThreshold: 60 },
        readinessProbe,
        livenessProbe: { tcpSocket: { port: 50 } },
      }, shared));
      await ready(pods, "rpc");
      health.serving = false;
      await told(
        pods,
        "rpc",
        "Unhealthy",
        /^Readiness probe failed: service unhealthy \(responded with "NOT_SERVING"\)$/,
      );
      await ready(pods, "rpc", false);
      assert.deepEqual([...health.services], ["db"]);
      pods.remove("rpc", 0);
      await pods.until("it has gone", () => !pods.pod("rpc"));
    });

    await Deno.remove(folder, { recursive: true });
  },
});
