/** What a test may need beyond Deno and the npm packages. */
export type Need =
  | "root"
  | "containerd"
  | "netns"
  | "kubectl"
  | "helm"
  | "libwasmtime"
  | "bundle"
  | "device-plugin"
  | "kube";

/** Variable in which `deno task test` tells its suites what is missing, as JSON. */
export const MISSING_VARIABLE = "SKERRY_TEST_MISSING";

/** Why each missing part is missing; a part that is not named is there. */
export type Missing = Readonly<Partial<Record<Need, string>>>;

/** Whether this run must not skip anything. */
export function inCi(env: (name: string) => string | undefined): boolean {
  return ["true", "1"].includes(env("CI") ?? "");
}

/** Finds what this machine lacks of what needs no set-up: root, containerd, network namespaces. */
export function findMissing(): Missing {
  const missing: { -readonly [N in Need]?: string } = {};
  const linux = Deno.build.os === "linux";
  const root = linux && Deno.uid() === 0;
  if (!root) missing.root = linux ? "this run is not root's" : "only Linux has it";
  if (!root) missing.netns = "network namespaces need root on Linux";
  else if (!onPath("ip")) missing.netns = "the program ip is absent (Debian: iproute2)";
  if (!root) missing.containerd = "containers need root on Linux";
  else {
    const absent = ["containerd", "runc"].filter((name) => !onPath(name));
    if (absent.length > 0) {
      missing.containerd = `${absent.join(" and ")} not installed ` +
        "(as root: deno run -A tools/containerd/install.ts)";
    }
  }
  return missing;
}

/**
 * Why a test that needs `needs` cannot run here, or `undefined` when it can. For
 * `Deno.test({ ignore: lacks("containerd") !== undefined, ... })`. In CI nothing counts as missing:
 * the test runs and fails by itself, so that a missing part is never silent.
 */
export function lacks(...needs: readonly Need[]): string | undefined {
  if (inCi((name) => Deno.env.get(name))) return undefined;
  const told = Deno.env.get(MISSING_VARIABLE);
  return reasonFor(needs, told === undefined ? findMissing() : JSON.parse(told) as Missing);
}

/** The reasons in `missing` that concern `needs`, as one line. */
export function reasonFor(needs: readonly Need[], missing: Missing): string | undefined {
  const reasons = needs.flatMap((need) => {
    const reason = missing[need];
    return reason === undefined ? [] : [`${need}: ${reason}`];
  });
  return reasons.length === 0 ? undefined : reasons.join("; ");
}

function onPath(name: string): boolean {
  const folders = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  return folders.some((folder) => {
    try {
      return Deno.statSync(`${folder}/${name}`).isFile;
    } catch {
      return false;
    }
  });
}
