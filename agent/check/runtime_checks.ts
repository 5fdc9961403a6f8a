import { AppError } from "../../core/base/mod.ts";
import { otherNodesText } from "../pods/mod.ts";
import type { Runtime, RuntimeCondition } from "../runtimes/mod.ts";
import { isWithin } from "./cidr.ts";
import { requireDisk } from "./disk.ts";
import type { Check, CheckContext } from "./check.ts";

const hasRuntime = ({ options }: CheckContext): boolean => options["cri-socket"] !== "none";

/** Checks of the container runtime. */
export const RUNTIME_CHECKS: readonly Check[] = [
  {
    name: "runtime",
    when: hasRuntime,
    async look(context, signal) {
      const { name, version, apiVersion } = await runtimeOf(context).info(signal);
      if (apiVersion !== "v1") {
        throw new AppError(
          "Unsupported",
          `${name} ${version} speaks CRI ${apiVersion}, v1 is needed: upgrade it`,
        );
      }
      return `${name} ${version} answers on ${context.options["cri-socket"]}`;
    },
  },
  {
    name: "runtime-ready",
    when: hasRuntime,
    look: (context, signal) =>
      condition(context, signal, {
        type: "RuntimeReady",
        good: "the runtime is ready",
        todo: "look at its log (journalctl -u containerd)",
      }),
  },
  {
    name: "network",
    when: hasRuntime,
    async look(context, signal) {
      const { cni } = await runtimeOf(context).details(signal);
      const config = cni?.configDir ?? "/etc/cni/net.d";
      const bins = cni?.binDirs.join(" or ") || "/opt/cni/bin";
      const cidr = context.options["pod-cidr"];
      // Of several addresses the first is the pod's own.
      const [subnet] = cni?.subnets ?? [];
      if (subnet !== undefined && !isWithin(subnet, cidr)) {
        const todo = subnet.includes(":")
          ? "a range of IPv4 stands there first"
          : `it is started with --pod-cidr=${subnet}`;
        throw new AppError(
          "Invalid",
          `pods get addresses of ${subnet} (${config}), and the agent connects to ${cidr} only: ` +
            `probes and hooks fail until ${todo}`,
        );
      }
      return await condition(context, signal, {
        type: "NetworkReady",
        good: `pods get a network by CNI, configured in ${config}`,
        why: cni?.problem,
        todo: `put a CNI configuration in ${config} and its plugins in ${bins}; pods with ` +
          "hostNetwork run without",
      });
    },
  },
  {
    name: "network-plugins",
    when: hasRuntime,
    async look(context, signal) {
      const { cni } = await runtimeOf(context).details(signal);
      if (!cni || cni.plugins.length === 0) return "the runtime does not say which ones it needs";
      const missing: string[] = [];
      for (const plugin of cni.plugins) {
        const found = await Promise.all(cni.binDirs.map((dir) => context.has(`${dir}/${plugin}`)));
        if (!found.includes("there") && !found.includes("hidden")) missing.push(plugin);
      }
      const bins = cni.binDirs.join(" or ");
      if (missing.length === 0) return `${cni.plugins.join(", ")} in ${bins}`;
      throw new AppError(
        "NotFound",
        `${missing.join(", ")} not found in ${bins}: install the CNI plugins there`,
      );
    },
  },
  {
    name: "stray-pods",
    when: hasRuntime,
    async look(context, signal) {
      const found = context.strays();
      if (found !== undefined) throw new AppError("Conflict", found);
      const nodes = await runtimeOf(context).podsByNode(signal);
      return otherNodesText(nodes, context.node) ?? "no pod runs that this node does not know";
    },
  },
  {
    name: "images",
    when: hasRuntime,
    async look(context, signal) {
      const [first] = await runtimeOf(context).imageFilesystems(signal);
      if (!first) return "the runtime does not say where its images lie";
      const used = Math.round(first.used / 2 ** 20);
      return `images take ${used} MiB at ${first.mountpoint}`;
    },
  },
  {
    name: "pod-logs",
    when: hasRuntime,
    look: async (context) => await requireDisk("pod-logs", context),
  },
  {
    name: "secrets-in-memory",
    when: hasRuntime,
    async look({ memoryDir }) {
      const found = await memoryDir();
      if ("dir" in found) return `secrets of pods lie in memory, at ${found.dir}`;
      throw new AppError(
        "NotFound",
        `${found.why}, so pods with secrets are refused: mount a tmpfs there, or name a folder on ` +
          "one with --memory-dir; then start the agent again",
      );
    },
  },
];

function runtimeOf({ runtime }: CheckContext): Runtime {
  if (runtime) return runtime;
  throw new AppError("NotFound", "this node has no container runtime");
}

async function condition(
  context: CheckContext,
  signal: AbortSignal,
  wanted: {
    readonly type: string;
    readonly good: string;
    /** Says more than the condition. */
    readonly why?: string | undefined;
    readonly todo: string;
  },
): Promise<string> {
  const all: RuntimeCondition[] = await runtimeOf(context).conditions(signal);
  const found = all.find(({ type }) => type === wanted.type);
  if (found?.status) return wanted.good;
  const why = wanted.why || found?.message || found?.reason ||
    `the runtime says nothing of ${wanted.type}`;
  throw new AppError("ServiceUnavailable", `${why}: ${wanted.todo}`);
}
