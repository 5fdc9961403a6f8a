import type { Container, KeyToPath, Pod } from "../../../core/api/mod.ts";
import { bytes, errorText } from "../../../core/base/mod.ts";
import { resolveEnv } from "../config/env.ts";
import type { ConfigData, ImageView, NodePolicy, PodObjects } from "./plan.ts";

/**
 * Why a container cannot be configured now: an object or key that its environment needs is
 * missing, or it must not run as root and would. `undefined` when it can.
 */
export function configProblem(
  pod: Pod,
  container: Container,
  input: {
    readonly node: NodePolicy;
    readonly objects: PodObjects;
    readonly ips: readonly string[];
    readonly image: ImageView | undefined;
  },
): string | undefined {
  try {
    const { nodeName, hostIPs } = input.node;
    const capacity = { cpuCapacity: 1, memoryCapacity: bytes(1), storageCapacity: bytes(1) };
    const facts = { nodeName, hostIPs, podIPs: input.ips, ...capacity };
    resolveEnv({ pod, container, objects: input.objects, facts });
  } catch (error) {
    return errorText(error);
  }
  return rootProblem(pod, container, input.image);
}

function rootProblem(
  pod: Pod,
  container: Container,
  image: ImageView | undefined,
): string | undefined {
  const setting = (name: string): unknown =>
    container.securityContext?.[name] ?? pod.spec.securityContext?.[name];
  if (setting("runAsNonRoot") !== true) return undefined;
  const user = setting("runAsUser");
  if (user === 0) return "container's runAsUser breaks non-root policy";
  if (user !== undefined || image?.state !== "present") return undefined;
  if (image.user && image.user !== "root" && image.uid === undefined) {
    return `container has runAsNonRoot and image has non-numeric user (${image.user}), cannot verify user is non-root`;
  }
  return image.uid ? undefined : "container has runAsNonRoot and image will run as root";
}

/** Why the pod's volumes cannot be written now: an object or key is missing. */
export function volumeProblem(pod: Pod, objects: PodObjects): string | undefined {
  for (const volume of pod.spec.volumes ?? []) {
    const sources = volume.projected
      ? (volume.projected.sources ?? []) as Source[]
      : [volume as Source];
    for (const source of sources) {
      const problem = sourceProblem(source, objects);
      if (problem) return `MountVolume.SetUp failed for volume "${volume.name}" : ${problem}`;
    }
  }
  return undefined;
}

interface Source {
  configMap?: { name?: string; items?: KeyToPath[]; optional?: boolean };
  secret?: { secretName?: string; name?: string; items?: KeyToPath[]; optional?: boolean };
}

function sourceProblem(source: Source, objects: PodObjects): string | undefined {
  if (source.configMap) {
    return objectProblem("configmap", source.configMap.name, source.configMap, objects.configMaps);
  }
  if (source.secret) {
    const name = source.secret.secretName ?? source.secret.name;
    return objectProblem("secret", name, source.secret, objects.secrets);
  }
  return undefined;
}

function objectProblem(
  kind: string,
  name: string | undefined,
  want: { items?: KeyToPath[]; optional?: boolean },
  all: Readonly<Record<string, ConfigData>>,
): string | undefined {
  const found = name !== undefined && Object.hasOwn(all, name) ? all[name] : undefined;
  if (want.optional) return undefined;
  if (!found) return `${kind} "${name}" not found`;
  const lost = want.items?.find(({ key }) =>
    !Object.hasOwn(found.data, key) && !Object.hasOwn(found.binary, key)
  );
  return lost && `${kind} "${name}" has no key "${lost.key}"`;
}

/** Why images may not be pulled: `imagePullSecrets` that are missing. A pod starts all the same. */
export function pullSecretProblem(pod: Pod, { secrets }: PodObjects): string | undefined {
  const names = (pod.spec.imagePullSecrets as { name?: string }[] | undefined ?? [])
    .flatMap(({ name }) => name && !Object.hasOwn(secrets, name) ? name : []);
  if (names.length === 0) return undefined;
  return `Unable to retrieve some image pull secrets (${names.join(", ")}); ` +
    "attempting to pull the image may not succeed.";
}
