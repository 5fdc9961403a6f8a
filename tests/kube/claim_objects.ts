/** A claim that is bound to a CSI volume by hand, as no driver is there to do it. */
import { createHash } from "node:crypto";
import { type KubeObject, VOLUME_LIST } from "../../core/api/mod.ts";
import { until } from "../e2e/gateway_process_lib.ts";
import { readAudit } from "./rights.ts";
import type { Stage } from "./stage.ts";

const DRIVER = "csi.example.com";

/** A volume for the claim `name` in `default`, and that claim: Kubernetes binds them. */
export function claimObjects(name: string): KubeObject[] {
  const common = {
    accessModes: ["ReadWriteMany"],
    storageClassName: "",
  };
  return [
    {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: `of-${name}` },
      spec: {
        ...common,
        capacity: { storage: "1Gi" },
        claimRef: { namespace: "default", name },
        csi: { driver: DRIVER, volumeHandle: name },
        persistentVolumeReclaimPolicy: "Retain",
      },
    },
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name, namespace: "default" },
      spec: {
        ...common,
        volumeName: `of-${name}`,
        resources: { requests: { storage: "1Gi" } },
      },
    },
  ];
}

/** What Kubernetes' attacher would make for the volume of the claim `name` on a node. */
export function attachmentObject(name: string, node: string): KubeObject {
  const hash = createHash("sha256").update(`${name}${DRIVER}${node}`).digest("hex");
  return {
    apiVersion: "storage.k8s.io/v1",
    kind: "VolumeAttachment",
    metadata: { name: `csi-${hash}` },
    spec: { attacher: DRIVER, nodeName: node, source: { persistentVolumeName: `of-${name}` } },
  };
}

/** The part of a pod's spec by which it has the claim `name`. */
export function claimVolume(name: string): Record<string, unknown> {
  return { volumes: [{ name: "data", persistentVolumeClaim: { claimName: name } }] };
}

/** Waits until the hub has read a claim, its volume and its attachment. */
export async function untilClaimsAreRead({ cluster }: Stage): Promise<void> {
  for (const { plural } of VOLUME_LIST) {
    await until(`${plural} are read`, async () => {
      const audited = await readAudit(`${cluster.parts.dir}/audit.log`);
      return audited.some(({ objectRef, responseStatus }) =>
        objectRef?.resource === plural && responseStatus?.code === 200
      );
    });
  }
}
