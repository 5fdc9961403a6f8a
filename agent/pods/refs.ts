import type { Pod } from "../../core/api/mod.ts";
import { podContainers } from "./policy/roles.ts";

/** The configMaps and secrets, in its own namespace, that a pod reads. */
export interface PodRefs {
  readonly configMaps: ReadonlySet<string>;
  readonly secrets: ReadonlySet<string>;
}

interface Source {
  configMap?: { name?: string };
  secret?: { secretName?: string; name?: string };
}

/** Finds what a pod names in its environment, its volumes and its pull secrets. */
export function podRefs(pod: Pod): PodRefs {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const add = (set: Set<string>, name: string | undefined): void => void (name && set.add(name));
  const { spec } = pod;
  for (const { container } of podContainers(pod)) {
    for (const { valueFrom } of container.env ?? []) {
      add(configMaps, valueFrom?.configMapKeyRef?.name);
      add(secrets, valueFrom?.secretKeyRef?.name);
    }
    for (const source of container.envFrom ?? []) {
      add(configMaps, source.configMapRef?.name);
      add(secrets, source.secretRef?.name);
    }
  }
  for (const volume of spec.volumes ?? []) {
    const sources = [volume, ...(volume.projected?.sources ?? [])] as Source[];
    for (const source of sources) {
      add(configMaps, source.configMap?.name);
      add(secrets, source.secret?.secretName ?? source.secret?.name);
    }
  }
  for (const { name } of (spec.imagePullSecrets ?? []) as { name: string }[]) add(secrets, name);
  return { configMaps, secrets };
}
