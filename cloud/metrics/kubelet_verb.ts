/** What may be asked of a kubelet, as far as it is told apart. */
export const KUBELET_VERBS = [
  ...["logs", "exec", "attach", "portforward", "run", "stats", "metrics", "pods", "other"],
] as const;

const PATHS: Readonly<Record<string, string>> = {
  containerLogs: "logs",
  exec: "exec",
  attach: "attach",
  portForward: "portforward",
  run: "run",
  stats: "stats",
  metrics: "metrics",
  pods: "pods",
  runningpods: "pods",
};

/** What a path of a kubelet's API asks for. */
export function kubeletVerb(pathname: string): string {
  const [, first = ""] = pathname.split("/");
  return Object.hasOwn(PATHS, first) ? PATHS[first] ?? "other" : "other";
}
