import { type Container, type Pod, quantityToNumber } from "../../core/api/mod.ts";
import { diskOf, type PodUsage } from "./usage.ts";
import { amountText } from "./words.ts";

const STORAGE = "ephemeral-storage";

/** Whether a pod's own storage is limited: only then is it worth measuring. */
export function hasLimits({ spec }: Pod): boolean {
  return (spec.volumes ?? []).some(({ emptyDir }) => emptyDir?.sizeLimit !== undefined) ||
    spec.containers.some((one) => limitOf(one) !== undefined);
}

/**
 * What a pod has more of than its own limits allow, in the kubelet's words (`localStorageEviction`);
 * `undefined` when it keeps to them. `imagesApart`: writable layers lie on another disk, which
 * limits do not count.
 */
export function limitExceeded(
  pod: Pod,
  usage: PodUsage,
  { imagesApart }: { readonly imagesApart: boolean },
): string | undefined {
  for (const { name, emptyDir } of pod.spec.volumes ?? []) {
    const used = usage.volumes.find((one) => one.name === name)?.used ?? 0;
    const limit = quantityToNumber(emptyDir?.sizeLimit);
    if (limit && used > limit) {
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${emptyDir?.sizeLimit}". `;
    }
  }
  const total = podLimit(pod);
  const { used } = diskOf(usage, { rootfs: true, local: true });
  if (total && used > total.amount) {
    return "Pod ephemeral local storage usage exceeds the total limit of containers " +
      `${total.text}. `;
  }
  for (const container of pod.spec.containers) {
    const { name } = container;
    const rootfs = imagesApart ? 0 : usage.rootfs.get(name)?.used ?? 0;
    const limit = limitOf(container);
    if (limit && rootfs + (usage.logs.get(name)?.used ?? 0) > limit) {
      const text = container.resources?.limits?.[STORAGE];
      return `Container ${name} exceeded its local ephemeral storage limit "${text}". `;
    }
  }
  return undefined;
}

function limitOf(container: Container): number | undefined {
  return quantityToNumber(container.resources?.limits?.[STORAGE]);
}

/** The sum of the containers' limits, where there is one. */
function podLimit({ spec }: Pod): { amount: number; text: string } | undefined {
  const limited = spec.containers.filter((one) => limitOf(one) !== undefined);
  if (limited.length === 0) return undefined;
  const sum = limited.reduce((all, one) => all + (limitOf(one) ?? 0), 0);
  const amount = Math.max(sum, ...(spec.initContainers ?? []).map((one) => limitOf(one) ?? 0));
  return { amount, text: amountText(amount, STORAGE) };
}
