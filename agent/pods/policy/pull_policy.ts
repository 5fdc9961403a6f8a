/** When an image is pulled. */
export type PullPolicy = "Always" | "IfNotPresent" | "Never";

/** Kubernetes' rule: without a policy, `latest` and untagged images are always pulled. */
export function pullPolicy(
  container: { image: string; imagePullPolicy?: string },
): PullPolicy {
  const { imagePullPolicy: policy } = container;
  if (policy === "Always" || policy === "Never" || policy === "IfNotPresent") return policy;
  const name = container.image.split("/").at(-1) ?? "";
  if (name.includes("@")) return "IfNotPresent";
  const tag = name.split(":")[1] ?? "latest";
  return tag === "latest" ? "Always" : "IfNotPresent";
}
