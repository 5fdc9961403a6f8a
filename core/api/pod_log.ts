import { AppError, fromTime, type Ms } from "../base/mod.ts";
import type { Pod } from "./pod.ts";

/** What a reader of a container's log asks for: Kubernetes' `PodLogOptions`. */
export interface PodLogOptions {
  readonly container: string;
  readonly follow: boolean;
  /** The run before the current one. */
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly sinceSeconds?: number;
  readonly sinceTime?: Ms;
  readonly tailLines?: number;
  readonly limitBytes?: number;
}

/**
 * Reads the query of `GET .../pods/NAME/log` and picks the container.
 *
 * @throws {AppError} BadRequest in the kubelet's words
 */
export function parsePodLogOptions(query: URLSearchParams, pod: Pod): PodLogOptions {
  const number = (name: string, least: number): number | undefined => {
    const text = query.get(name);
    if (text === null || text === "") return undefined;
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least) {
      throw new AppError(
        "BadRequest",
        `${name} must be a whole number of at least ${least}: ${text}`,
      );
    }
    return value;
  };
  const flag = (name: string): boolean => /^(true|1)$/i.test(query.get(name) ?? "");
  const sinceText = query.get("sinceTime");
  const sinceTime = fromTime(sinceText);
  if (sinceText && sinceTime === undefined) {
    throw new AppError("BadRequest", `sinceTime is no RFC 3339 time: ${sinceText}`);
  }
  const found = {
    sinceSeconds: number("sinceSeconds", 1),
    sinceTime,
    tailLines: number("tailLines", 0),
    limitBytes: number("limitBytes", 1),
  };
  const set = Object.entries(found).filter(([, value]) => value !== undefined);
  return {
    container: containerOf(pod, query.get("container") ?? ""),
    follow: flag("follow"),
    previous: flag("previous"),
    timestamps: flag("timestamps"),
    ...Object.fromEntries(set),
  };
}

function containerOf(pod: Pod, asked: string): string {
  const names = pod.spec.containers.map((item) => item.name);
  const inits = (pod.spec.initContainers ?? []).map((item) => item.name);
  const debuggers = (pod.spec.ephemeralContainers ?? []).map((item) => item.name);
  const name = pod.metadata.name;
  if (asked === "") {
    if (names.length === 1 && names[0] !== undefined) return names[0];
    const init = inits.length > 0 ? ` or one of the init containers: [${inits.join(" ")}]` : "";
    const debug = debuggers.length > 0
      ? ` or one of the ephemeral containers: [${debuggers.join(" ")}]`
      : "";
    throw new AppError(
      "BadRequest",
      `a container name must be specified for pod ${name}, choose one of: [${
        names.join(" ")
      }]${init}${debug}`,
    );
  }
  if ([...names, ...inits, ...debuggers].includes(asked)) return asked;
  throw new AppError("BadRequest", `container ${asked} is not valid for pod ${name}`);
}
