import type { Container, Pod } from "../../../core/api/mod.ts";
import type { Mount } from "../../runtimes/mod.ts";
import { TERMINATION_LOG } from "./container_config.ts";
import { hostsFile } from "./hosts.ts";
import { localApiHosts } from "./local_api.ts";
import type { PodPaths } from "../paths.ts";

/** What {@linkcode ensureOwnFiles} needs. */
export interface OwnFilesInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly attempt: number;
  readonly ips: readonly string[];
  readonly clusterDomain: string;
  /** Where the pod finds the Kubernetes API. @default {it is told of none} */
  readonly api?: string | undefined;
  readonly paths: PodPaths;
  /** Mounts of the pod's own, which win. */
  readonly taken: readonly { readonly containerPath: string }[];
}

/** Writes the files that the node itself gives a container, and returns their mounts. */
export async function ensureOwnFiles(input: OwnFilesInput): Promise<Mount[]> {
  const { pod, container, paths } = input;
  const uid = pod.metadata.uid ?? "";
  const free = (path: string): boolean => !input.taken.some((one) => one.containerPath === path);
  await Deno.mkdir(paths.pod(uid), { recursive: true, mode: 0o750 });
  const mounts: Promise<Mount>[] = [];
  // With host network and nothing to add, the runtime's copy of the node's own file is right.
  const adds = pod.spec.hostAliases || input.api !== undefined;
  if (free("/etc/hosts") && (!pod.spec.hostNetwork || adds)) {
    mounts.push(ensureHosts(input, paths.hosts(uid)));
  }
  const target = container.terminationMessagePath || TERMINATION_LOG;
  if (free(target)) {
    const file = paths.message(uid, container.name, input.attempt);
    mounts.push(ensureMessage(file, target));
  }
  return await Promise.all(mounts);
}

async function ensureHosts(input: OwnFilesInput, file: string): Promise<Mount> {
  await Deno.writeTextFile(file, await hostsText(input), { mode: 0o644 });
  return bind("/etc/hosts", file);
}

async function ensureMessage(file: string, target: string): Promise<Mount> {
  await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(file, "");
  // The container's user writes it, whoever that is.
  await Deno.chmod(file, 0o666);
  return bind(target, file);
}

async function hostsText({ pod, ips, clusterDomain, api }: OwnFilesInput): Promise<string> {
  const text = pod.spec.hostNetwork
    ? hostsFile(pod, { ips, clusterDomain, nodeHosts: await Deno.readTextFile("/etc/hosts") })
    : hostsFile(pod, { ips, clusterDomain });
  return api === undefined ? text : text + localApiHosts(api, text);
}

function bind(containerPath: string, hostPath: string): Mount {
  return { containerPath, hostPath, readonly: false, relabel: true, propagation: "private" };
}
