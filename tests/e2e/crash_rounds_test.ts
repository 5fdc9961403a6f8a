import assert from "node:assert/strict";
import { createCriRuntime, type Observation } from "../../agent/runtimes/mod.ts";
import type { ApiClient } from "../../cli/client.ts";
import type { Event, KubeObject, Pod } from "../../core/api/mod.ts";
import { ms, seededRandom, silentLogger, sleep, systemClock } from "../../core/base/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import {
  containersOf,
  COUNT,
  isReady,
  podOf,
  podsOf,
  readyPod,
  shellPod,
  Site,
} from "./gateway_lib.ts";
import { until } from "./gateway_process_lib.ts";

/**
 * Rounds of a crash loop on the real parts: in each, pods start, end and go, and the agent is killed
 * (or containerd is) at a moment that a seed chooses. A few rounds run with all tests;
 * `SKERRY_CRASH_ROUNDS=200` runs as many as a release should stand, `SKERRY_CRASH_SEED` repeats one.
 */
const ROUNDS = Number(Deno.env.get("SKERRY_CRASH_ROUNDS") ?? 6);
const SEED = Number(Deno.env.get("SKERRY_CRASH_SEED") ?? Date.UTC(2026, 0, 1) % 1e6);
const missing = lacks("containerd", "kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-crash";
/** Longest time from the start of a round's pods to its kill: a pod is up long before. */
const WINDOW = 1500;

/** A pod that notes each start of its container in `/marks`, then does what `script` says. */
function markedPod(site: Site, name: string, script: string, spec = {}): KubeObject {
  const pod = shellPod(name, `echo started >> /marks/${name}; ${script}`, spec);
  pod["spec"].containers[0].volumeMounts = [{ name: "marks", mountPath: "/marks" }];
  pod["spec"].volumes = [{ name: "marks", hostPath: { path: `${site.folder}/marks` } }];
  return pod;
}

/** The same with a sidecar, hooks and probes; the sidecar's starts and the stops are noted as well. */
function lifePod(site: Site, name: string): KubeObject {
  const life = "trap 'exit 0' TERM; sleep 100000 & wait";
  const pod = markedPod(site, name, life, { terminationGracePeriodSeconds: 10 });
  const exec = (script: string): Record<string, unknown> => ({
    exec: { command: ["sh", "-c", script] },
  });
  // A restart is told from one that a busy machine's slow answers would cause.
  const patient = { periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 30 };
  const [main] = pod["spec"].containers;
  pod["spec"].initContainers = [{
    ...main,
    name: "side",
    restartPolicy: "Always",
    command: ["sh", "-c", `echo started >> /marks/${name}-side; ${life}`],
    lifecycle: { postStart: exec("sleep 0.1; echo up > /tmp/up") },
    startupProbe: { ...exec("test -s /tmp/up"), ...patient },
  }];
  pod["spec"].containers = [{
    ...main,
    lifecycle: {
      postStart: exec("sleep 0.1; echo up > /tmp/up"),
      preStop: exec(`echo stopping >> /marks/${name}-stops`),
    },
    readinessProbe: { ...exec("test -s /tmp/up"), periodSeconds: 1 },
    livenessProbe: { ...exec("test -s /tmp/up"), ...patient },
  }];
  return pod;
}

async function starts(site: Site, name: string): Promise<number> {
  const text = await Deno.readTextFile(`${site.folder}/marks/${name}`).catch(() => "");
  return text.split("\n").filter(Boolean).length;
}

/** No pod has two sandboxes that are ready, nor two running instances of one container. */
function assertSingle(seen: Observation): void {
  const live = [
    ...seen.sandboxes.filter(({ ready }) => ready).map(({ podName }) => `sandbox of ${podName}`),
    ...seen.containers.filter(({ state }) => state === "running")
      .map(({ podUid, name }) => `container ${name} of ${podUid}`),
  ];
  assert.deepEqual(live.toSorted(), [...new Set(live)].toSorted());
}

Deno.test({
  name:
    `${ROUNDS} crashes of the agent or of containerd lose, double and restart nothing${skipped}`,
  ignore: missing !== undefined,
  fn: () =>
    Site.run(async (site) => {
      const random = seededRandom(SEED);
      await Deno.mkdir(`${site.folder}/marks`);
      const containerd = await site.containerd();
      const hub = await site.hub();
      const api = await site.client(hub.kubeconfig);
      const options = {
        hub: `127.0.0.1:${hub.nodePort}`,
        cri: containerd.socket,
        flags: [`--pod-cidr=${containerd.subnet}`],
      };
      let agent = await site.agent(NODE, { ...options, token: await site.token(hub, NODE) });
      await using runtime = createCriRuntime({
        ...{ socketPath: containerd.socket, clock: systemClock, log: silentLogger, node: NODE },
      });
      // containerd answers nothing for a moment after it has opened its socket.
      const observe = (): Promise<Observation> =>
        until("containerd answers", () => runtime.observe(new AbortController().signal));

      await site.apply(hub.kubeconfig, shellPod("steady", COUNT));
      await readyPod(api, "steady");
      const steady = containersOf(await podsOf(api));

      /** Kills the agent, or now and then containerd; returns whether containers may have been hurt. */
      const crash = async (round: number): Promise<boolean> => {
        if (round % 5 === 4) {
          await containerd.stop(round % 2 === 0 ? "SIGTERM" : "SIGKILL");
          await containerd.start();
          return true;
        }
        // With its launcher, whose back-off between restarts would be most of the test's time.
        await agent.process.kill();
        agent = await site.agent(NODE, options);
        return false;
      };

      for (let round = 0; round < ROUNDS; round++) {
        const [web, job, old] = [`web-${round}`, `job-${round}`, `web-${round - 1}`];
        const wait = Math.floor(random() * WINDOW);
        try {
          await site.apply(
            hub.kubeconfig,
            lifePod(site, web),
            markedPod(site, job, "sleep 0.2; exit 7", { restartPolicy: "Never" }),
          );
          if (round > 0) {
            await site.kubectl(hub.kubeconfig, ["delete", "pod", old, "--wait=false"]);
          }
          // The moment of the crash is the point of this test, so here it is time that is waited for.
          await sleep(systemClock, ms(wait));
          const hurt = await crash(round);
          await readyPod(api, web, 60);
          const done = await until(`${job} has ended`, async () => {
            const pod = await podOf(api, job);
            return pod?.status?.phase === "Failed" && pod;
          }, 60);
          await until(`${old} is gone`, async () => await podOf(api, old) === undefined, 60);
          const seen = await observe();
          assertSingle(seen);
          assert.deepEqual(
            seen.sandboxes.filter(({ podName }) => podName === old),
            [],
          );
          const pods = await podsOf(api);
          const kept = pods.filter(({ metadata }) => metadata.name === "steady");
          assert.deepEqual(containersOf(kept), steady);
          if (!hurt) assertUnhurt(pods, done, web);
          for (const container of ["main", "side"]) {
            await assertStarts({ site, api, pod: web, container, hurt });
          }
          if (round > 0) {
            const stops = await starts(site, `${old}-stops`);
            assert.ok(stops === 1 || stops === 2, `preStop of ${old} ran ${stops} times`);
          }
          if (!hurt) {
            await assertStarts({ site, api, pod: job, container: "main", hurt });
          }
          await site.kubectl(hub.kubeconfig, ["delete", "pod", job, "--wait=false"]);
        } catch (cause) {
          const text = cause instanceof Error ? cause.message : String(cause);
          const what = `seed ${SEED}, round ${round}, crash after ${wait} ms: ${text}`;
          throw new Error(what, { cause });
        }
      }
    }),
});

/**
 * A container's program has begun as often as its runs are counted. One more time is right for each
 * start that was broken off, when its program had begun and nobody could know.
 */
async function assertStarts(
  of: {
    readonly site: Site;
    readonly api: ApiClient;
    readonly pod: string;
    readonly container: string;
    /** Without a runtime that ended, no run has failed to start. */
    readonly hurt: boolean;
  },
): Promise<void> {
  const { site, api, pod, container, hurt } = of;
  // Events come a moment later than statuses; and one that was hurt may restart once more.
  await until(`each start of ${container} of ${pod} is accounted for`, async () => {
    const begun = await starts(site, container === "side" ? `${pod}-side` : pod);
    const list = container === "side" ? "initContainerStatuses" : "containerStatuses";
    const runs = restarts(await podsOf(api), pod, list) + 1;
    const told = await interrupted(api, pod, container);
    const what = `it began ${begun} times in ${runs} runs, ${told} of them interrupted`;
    assert.ok(begun >= (hurt ? 1 : runs) && begun <= runs + told, what);
    return true;
  });
}

async function interrupted(api: ApiClient, pod: string, container: string): Promise<number> {
  const { items } = await api.request("GET", "/api/v1/namespaces/default/events");
  return (items as Event[])
    .filter(({ reason, involvedObject: { name, fieldPath = "" } }) =>
      reason === "StartInterrupted" && name === pod && fieldPath.endsWith(`{${container}}`)
    )
    .reduce((sum, { count }) => sum + (count ?? 1), 0);
}

function restarts(
  pods: readonly Pod[],
  name: string,
  list: "containerStatuses" | "initContainerStatuses" = "containerStatuses",
): number {
  const pod = pods.find(({ metadata }) => metadata.name === name);
  return pod?.status?.[list]?.[0]?.restartCount ?? 0;
}

/** Only the agent was killed: nothing restarted, and the end that happened is the end that is told. */
function assertUnhurt(pods: readonly Pod[], job: Pod, web: string): void {
  const { state } = job.status?.containerStatuses?.[0] ?? {};
  assert.equal(state?.terminated?.exitCode, 7, JSON.stringify(state));
  assert.equal(job.status?.containerStatuses?.[0]?.restartCount, 0);
  assert.equal(restarts(pods, web) + restarts(pods, web, "initContainerStatuses"), 0);
  assert.ok(isReady(pods.find(({ metadata }) => metadata.name === web)));
}
