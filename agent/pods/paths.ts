import { AppError } from "../../core/base/mod.ts";

const SAFE = /^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$/;

/**
 * A name as one part of a path.
 *
 * @throws {AppError} Invalid when it could lead elsewhere
 */
export function pathPart(name: string): string {
  if (name.length <= 253 && SAFE.test(name) && !name.includes("..")) return name;
  throw new AppError("Invalid", `${JSON.stringify(name)} cannot be part of a path`);
}

/** Whether a name can be part of a path. */
export function isPathPart(name: string | undefined): boolean {
  return name !== undefined && name.length <= 253 && SAFE.test(name) && !name.includes("..");
}

/** The kubelet's folder of a kind of volume. */
export type VolumeKind = "empty-dir" | "configmap" | "secret" | "downward-api" | "projected";

/** Where the files of one pod are. All methods throw `Invalid` for names that are no path parts. */
export class PodPaths {
  readonly #state: string;
  readonly #logs: string;
  readonly #memory: string | undefined;

  /** `stateDir` holds `pods/`, `logDir` the logs, `memoryDir` (a tmpfs) secrets and memory volumes. */
  constructor(dirs: { stateDir: string; logDir: string; memoryDir?: string | undefined }) {
    this.#state = dirs.stateDir;
    this.#logs = dirs.logDir;
    this.#memory = dirs.memoryDir;
  }

  /** The folder of all pods' folders. */
  get pods(): string {
    return `${this.#state}/pods`;
  }

  /** The folder of all pods' logs; others may have theirs there as well. */
  get allLogs(): string {
    return this.#logs;
  }

  /** The folder of a pod: volumes, hosts file, termination messages. */
  pod(uid: string): string {
    return `${this.#state}/pods/${pathPart(uid)}`;
  }

  /** The pod's folder on the tmpfs, where there is one. */
  memoryPod(uid: string): string | undefined {
    return this.#memory && `${this.#memory}/pods/${pathPart(uid)}`;
  }

  /**
   * The folder of one volume; `memory` puts it on the tmpfs.
   *
   * @throws {AppError} Unsupported when there is no tmpfs: what belongs there is never on disk
   */
  volume(uid: string, volume: { name: string; kind: VolumeKind; memory: boolean }): string {
    const root = volume.memory ? this.memoryPod(uid) : this.pod(uid);
    if (root === undefined) {
      throw new AppError("Unsupported", `volume "${volume.name}" needs a tmpfs (--memory-dir)`);
    }
    return `${root}/volumes/kubernetes.io~${volume.kind}/${pathPart(volume.name)}`;
  }

  /** Where links for volumes are kept, on the tmpfs or beside the pods. */
  links(place: "memory" | "disk"): string {
    return `${(place === "memory" ? this.#memory : undefined) ?? this.#state}/links`;
  }

  /** The pod's `/etc/hosts`. */
  hosts(uid: string): string {
    return `${this.pod(uid)}/etc-hosts`;
  }

  /** The termination message file of one run. */
  message(uid: string, container: string, attempt: number): string {
    return `${this.pod(uid)}/containers/${pathPart(container)}/${attempt}`;
  }

  /** The pod's log folder, in Kubernetes' layout. */
  logs(pod: { namespace: string; name: string; uid: string }): string {
    const parts = [pod.namespace, pod.name, pod.uid].map(pathPart);
    return `${this.#logs}/${parts.join("_")}`;
  }

  /** A container's log below {@linkcode logs}. */
  logPath(container: string, attempt: number): string {
    return `${pathPart(container)}/${attempt}.log`;
  }
}
