import { AppError } from "../../../core/base/mod.ts";
import type { DeviceGrant } from "../../pods/mod.ts";
import { z } from "zod";

const Edits = z.object({
  env: z.array(z.string()).optional(),
  deviceNodes: z.array(z.object({
    path: z.string(),
    hostPath: z.string().optional(),
    permissions: z.string().optional(),
    // CRI takes host paths only, so these say nothing more than the path does.
    type: z.string().optional(),
    major: z.number().optional(),
    minor: z.number().optional(),
    fileMode: z.number().optional(),
    uid: z.number().optional(),
    gid: z.number().optional(),
  })).optional(),
  mounts: z.array(z.object({
    hostPath: z.string(),
    containerPath: z.string(),
    options: z.array(z.string()).optional(),
    type: z.string().optional(),
  })).optional(),
  hooks: z.array(z.unknown()).optional(),
  intelRdt: z.unknown().optional(),
  netDevices: z.array(z.unknown()).optional(),
  additionalGids: z.array(z.number()).optional(),
});

/** A CDI spec (container-device-interface 0.3 to 1.0), as far as it is read. */
export const CdiSpec = z.object({
  cdiVersion: z.string(),
  kind: z.string(),
  containerEdits: Edits.optional(),
  devices: z.array(z.object({ name: z.string(), containerEdits: Edits.optional() })),
});

/** See {@linkcode CdiSpec}. */
export type CdiSpec = z.infer<typeof CdiSpec>;

/** Edits of a container that cannot be made through CRI. */
const FOREIGN = ["hooks", "intelRdt", "netDevices", "additionalGids"] as const;

/**
 * What the CDI devices `names` add to a container by these specs (of two specs that have a device,
 * the later one counts).
 *
 * @throws {AppError} NotFound for a device that no spec has, Unsupported when a spec asks for a
 * hook or another edit that CRI has no field for
 */
export function cdiGrant(specs: readonly CdiSpec[], names: readonly string[]): DeviceGrant {
  const env: Record<string, string> = {};
  const mounts: DeviceGrant["mounts"][number][] = [];
  const devices: DeviceGrant["devices"][number][] = [];
  const seen = new Set<CdiSpec>();
  for (const name of names) {
    const [kind = "", device = ""] = name.split("=");
    const spec = specs.findLast((one) =>
      one.kind === kind && one.devices.some((own) => own.name === device)
    );
    const own = spec?.devices.find((one) => one.name === device);
    if (!spec || !own) {
      throw new AppError("NotFound", `CDI device ${name} is in no CDI spec of this machine`);
    }
    const shared = seen.has(spec) ? undefined : spec.containerEdits;
    seen.add(spec);
    for (const edits of [shared, own.containerEdits]) {
      if (!edits) continue;
      refuseForeign(name, edits);
      for (const pair of edits.env ?? []) {
        const at = pair.indexOf("=");
        env[at < 0 ? pair : pair.slice(0, at)] = at < 0 ? "" : pair.slice(at + 1);
      }
      mounts.push(...(edits.mounts ?? []).map(mountOf));
      devices.push(...(edits.deviceNodes ?? []).map(({ path, hostPath, permissions }) => ({
        containerPath: path,
        hostPath: hostPath ?? path,
        permissions: permissions ?? "rwm",
      })));
    }
  }
  return { env, mounts, devices, annotations: {}, cdiDevices: [] };
}

function refuseForeign(name: string, edits: z.infer<typeof Edits>): void {
  for (const kind of FOREIGN) {
    const value = edits[kind];
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    throw new AppError(
      "Unsupported",
      `CDI device ${name} asks for ${kind}, which only a runtime with CDI can do: ` +
        "use containerd 2.0 or newer",
    );
  }
}

function mountOf(
  from: { hostPath: string; containerPath: string; options?: string[] | undefined },
): DeviceGrant["mounts"][number] {
  const { hostPath, containerPath, options = [] } = from;
  const propagation = options.some((one) => one === "rshared" || one === "shared")
    ? "bidirectional"
    : options.some((one) => one === "rslave" || one === "slave")
    ? "host-to-container"
    : "private";
  return { hostPath, containerPath, readonly: options.includes("ro"), propagation };
}
