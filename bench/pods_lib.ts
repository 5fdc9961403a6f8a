import type { Pod } from "../core/api/mod.ts";
import { TEST_IMAGES } from "../tools/images/mod.ts";

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
