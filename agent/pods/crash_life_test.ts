import assert from "node:assert/strict";
import type { Container, Pod, PodSpec } from "../../core/api/mod.ts";
import { ms, systemClock } from "../../core/base/mod.ts";
import { type FakeContainer, FakeMachine } from "../runtimes/fake/mod.ts";
import { everywhere, type PodBench, testPod } from "./testing/mod.ts";

/** A machine that notes which hooks run in its containers, and in which order those end. */
class NotingMachine extends FakeMachine {
  readonly hooks: string[] = [];
  readonly ended: string[] = [];

  constructor() {
    super({ clock: systemClock });
    this.addImage("app:1");
    this.script("app:1", ({ name, attempt }) => ({
      ...(name === "init" || name === "debug" ? { exitAfter: ms(1) } : {}),
      exec: ([hook = ""]) => {
        this.hooks.push(`${hook} ${name}`);
        return { exitCode: hook === "check" && attempt === 0 ? 1 : 0 };
      },
    }));
  }

  override end(container: FakeContainer, code: number, reason?: string): void {
    if (container.state !== "exited") this.ended.push(container.config.name);
    super.end(container, code, reason);
  }
}

const newHost = (): NotingMachine => new NotingMachine();
const hook = (name: string) => ({ exec: { command: [name] } });
const lifecycle = { postStart: hook("up"), preStop: hook("down") };

function container(name: string, more: Partial<Container> = {}): Container {
  return { name, image: "app:1", imagePullPolicy: "IfNotPresent", ...more };
}

/** An init container, two sidecars with hooks, a main with hooks. */
function lifePod(spec: Partial<PodSpec> = {}): Pod {
  const sidecar = { restartPolicy: "Always", lifecycle } as const;
  return testPod("web", {
    initContainers: [container("one", sidecar), container("init"), container("two", sidecar)],
    containers: [container("main", { lifecycle })],
    ...spec,
  });
}

const ALL = ["init", "main", "one", "two"];

async function ready(bench: PodBench, what: string): Promise<void> {
  await bench.until(`ready after ${what}`, () => {
    const { phase, conditions = [] } = bench.pod("web")?.status ?? {};
    const ready = conditions.find((one) => one.type === "Ready")?.status;
    return phase === "Running" && ready === "True";
  });
}

function counts(notes: readonly string[]): Record<string, number> {
  const out: Record<string, number> = {};
  for (const note of notes) out[note] = (out[note] ?? 0) + 1;
  return out;
}

function restarts(bench: PodBench): number[] {
  const { containerStatuses = [], initContainerStatuses = [] } = bench.pod("web")?.status ?? {};
  return [...containerStatuses, ...initContainerStatuses].map((one) => one.restartCount);
}

Deno.test("a pod with sidecars and hooks starts exactly once wherever the agent is killed", async () => {
  await everywhere(
    { runSandbox: 1, createContainer: 4, startContainer: 4, execSync: 3, observe: 6 },
    newHost,
    async ({ host, bench, where, arm }) => {
      await arm();
      bench.put(lifePod());
      await ready(bench, where);
      const made = [...host.containers.values()].map((one) => one.config.name);
      assert.deepEqual(made.toSorted(), ALL, "made anything twice");
      assert.deepEqual(made, ["one", "init", "two", "main"], "out of order");
      assert.deepEqual(restarts(bench), [0, 0, 0, 0]);
      for (const name of ["one", "two", "main"]) {
        const ran = counts(host.hooks)[`up ${name}`] ?? 0;
        // Only a hook whose end nobody could remember runs again.
        assert.ok(ran === 1 || ran === 2, `the hook of ${name} ran ${ran} times`);
      }
      assert.ok(host.hooks.length <= 4, host.hooks.join());
    },
  );
});

Deno.test("a pod with sidecars and hooks ends in its order wherever the agent is killed", async () => {
  await everywhere(
    { execSync: 3, stopContainer: 3, stopSandbox: 1, removeSandbox: 1, observe: 4 },
    newHost,
    async ({ host, bench, where, arm }) => {
      bench.put(lifePod());
      await ready(bench, where);
      host.hooks.length = 0;
      await arm();
      bench.remove("web", 20);
      await bench.until(`gone after ${where}`, () => !bench.pod("web"));
      assert.deepEqual(host.ended, ["init", "main", "two", "one"]);
      assert.equal(host.containers.size + host.sandboxes.size, 0);
      const ran = counts(host.hooks);
      for (const name of ["one", "two", "main"]) {
        const times = ran[`down ${name}`];
        assert.ok(times === 1 || times === 2, `the hook of ${name} ran ${times} times`);
      }
      assert.deepEqual(bench.gone, ["uid-web"]);
    },
  );
});

Deno.test("a pod whose main has ended completes exactly once wherever the agent is killed", async () => {
  await everywhere(
    { execSync: 2, stopContainer: 2, stopSandbox: 1, observe: 4 },
    newHost,
    async ({ host, bench, where, arm }) => {
      bench.put(lifePod({ restartPolicy: "OnFailure" }));
      await ready(bench, where);
      await arm();
      host.exit(host.newest("uid-web", "main")?.id ?? "", 0);
      await bench.until(
        `succeeded after ${where}`,
        () => bench.pod("web")?.status?.phase === "Succeeded",
      );
      assert.equal(host.containers.size, 4, "something was started again");
      assert.deepEqual(host.ended, ["init", "main", "two", "one"]);
    },
  );
});

Deno.test("a debugger starts exactly once wherever the agent is killed", async () => {
  await everywhere(
    { createContainer: 1, startContainer: 1, observe: 4 },
    newHost,
    async ({ host, bench, where, arm }) => {
      bench.put(testPod("web"));
      await ready(bench, where);
      await arm();
      const pod = structuredClone(bench.pod("web")) as Pod;
      pod.spec.ephemeralContainers = [container("debug", { targetContainerName: "main" })];
      bench.put(pod);
      await bench.until(
        `debugged after ${where}`,
        () => bench.pod("web")?.status?.ephemeralContainerStatuses?.[0]?.state.terminated,
      );
      const made = [...host.containers.values()].map((one) => one.config.name);
      assert.deepEqual(made, ["main", "debug"]);
    },
  );
});

Deno.test("a resize is done wherever the agent is killed, and restarts nothing", async () => {
  await everywhere(
    { updateResources: 1, observe: 3 },
    newHost,
    async ({ host, bench, where, arm }) => {
      const sized = (cpu: string): Container =>
        container("main", { resources: { requests: { cpu } } });
      bench.put(testPod("web", { containers: [sized("100m")] }));
      await ready(bench, where);
      await arm();
      const pod = structuredClone(bench.pod("web")) as Pod;
      pod.spec.containers = [sized("200m")];
      bench.put(pod);
      await bench.until(
        `resized after ${where}`,
        () =>
          bench.pod("web")?.status?.containerStatuses?.[0]?.resources?.requests?.["cpu"] ===
            "200m",
      );
      const [one, ...others] = [...host.containers.values()];
      assert.equal(others.length, 0);
      assert.equal(one?.resources?.cpuShares, 204);
    },
  );
});

Deno.test("a liveness probe that fails restarts exactly once wherever the agent is killed", async () => {
  await everywhere(
    { execSync: 1, stopContainer: 1, createContainer: 1, startContainer: 1 },
    newHost,
    async ({ host, bench, where, arm }) => {
      const livenessProbe = { ...hook("check"), periodSeconds: 1, failureThreshold: 1 };
      bench.put(testPod("web", { containers: [container("main", { livenessProbe })] }));
      await bench.until("running", () => bench.pod("web")?.status?.phase === "Running");
      await arm();
      const status = await bench.until(`restarted after ${where}`, () => {
        const [one] = bench.pod("web")?.status?.containerStatuses ?? [];
        return one?.state.running && one.restartCount > 0 && one;
      });
      assert.equal(status.restartCount, 1);
      assert.equal(status.lastState.terminated?.exitCode, 143);
      assert.equal(
        [...host.containers.values()].filter((one) => one.state === "running").length,
        1,
      );
    },
  );
});
