import type { Pod } from "../core/api/mod.ts";
import { createCriRuntime, type Runtime } from "../agent/runtimes/mod.ts";
import { silentLogger, systemClock } from "../core/base/mod.ts";
import { type Containerd, startContainerd } from "../tools/containerd/mod.ts";
import { TEST_IMAGES } from "../tools/images/mod.ts";
import { markedCommand } from "./raw_pod_lib.ts";
import { Stand, type StandOptions } from "./stand_lib.ts";

/** Where the API has the pods of benches. */
export const PODS = "/api/v1/namespaces/default/pods";

/** A pod of busybox that writes nothing and sleeps, or of the pause image. */
export function benchPod(name: string, kind: "busybox" | "pause" = "busybox"): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        kind === "pause"
          ? { name: "c", image: TEST_IMAGES.pause }
          : { name: "c", image: TEST_IMAGES.busybox, command: ["sleep", "1000000"] },
      ],
    },
  } as Pod;
}

/** A pod that ends at once when it is told to, and shows `marker` among its arguments. */
export function markedPod(name: string, marker: string): Pod {
  const pod = benchPod(name);
  const containers = [{
    name: "c",
    image: TEST_IMAGES.busybox,
    command: markedCommand(marker),
  }];
  return { ...pod, spec: { ...pod.spec, terminationGracePeriodSeconds: 30, containers } };
}

/** A hub and an agent that has joined and was started again, on a containerd of its own. */
export class PodStand implements AsyncDisposable {
  readonly stand: Stand;
  readonly containerd: Containerd;
  /** The same containerd without an agent in between. */
  readonly runtime: Runtime;
  readonly #held: AsyncDisposableStack;

  private constructor(
    parts: { stand: Stand; containerd: Containerd; runtime: Runtime },
    held: AsyncDisposableStack,
  ) {
    this.stand = parts.stand;
    this.containerd = parts.containerd;
    this.runtime = parts.runtime;
    this.#held = held;
  }

  /** Starts all of it. `options` are the stand's. */
  static async open(options: Omit<StandOptions, "cri"> = {}): Promise<PodStand> {
    await using held = new AsyncDisposableStack();
    const containerd = held.use(await startContainerd());
    const stand = held.use(await Stand.open({ ...options, cri: containerd }));
    await stand.startHub();
    await stand.join();
    await stand.startAgent();
    const runtime = held.use(
      createCriRuntime({
        socketPath: containerd.socket,
        clock: systemClock,
        log: silentLogger,
      }),
    );
    return new PodStand({ stand, containerd, runtime }, held.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync();
  }
}
