/** A pod's container as a process of this machine, in place of a kubelet: for a cluster without nodes. */
import { ROOT, until } from "../e2e/gateway_process_lib.ts";

/** Where the hub of the chart listens for nodes. */
const NODE_PORT = 10_000;

/** What of a pod's spec is honoured. */
export interface PodSpec {
  readonly securityContext: { readonly runAsUser: number; readonly runAsGroup: number };
  readonly containers: readonly {
    readonly command: readonly string[];
    readonly args: readonly string[];
    readonly env: readonly {
      readonly name: string;
      readonly value?: string;
      readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string } };
    }[];
    readonly volumeMounts: readonly { readonly mountPath: string }[];
  }[];
}

/** What a kubelet and the image bring. */
export interface PodPlace {
  /** Where the API server is, for the pod's environment. */
  readonly server: URL;
  readonly podIP: string;
  /** A folder of this pod: its volumes. It is made. */
  readonly folder: string;
  readonly token: string;
  /** PEM. */
  readonly ca: string;
}

const IMAGE = "/usr/lib/skerry";

/**
 * The command that runs the only container: with its user, no capability, a root that is read-only,
 * its environment and nothing of this one, the service account where Kubernetes mounts it, and an
 * empty folder for its one volume. Needs root.
 */
export async function podCommand(spec: PodSpec, place: PodPlace): Promise<string[]> {
  // The chart's own port, which `deno task up` of another test may have for a while.
  await until("the chart's port is free", () => {
    Deno.listen({ hostname: "::", port: NODE_PORT }).close();
    return true;
  }, 180);
  const [container] = spec.containers;
  if (!container) throw new TypeError("the pod has no container");
  const { runAsUser: user, runAsGroup: group } = spec.securityContext;
  await makeServiceAccount(`${place.folder}/account`, place);
  await Deno.mkdir(`${place.folder}/state`, { recursive: true });
  await Deno.chown(`${place.folder}/state`, user, group);
  const env = environmentOf(container.env, place);
  const words = [...container.command, ...container.args].map((word) =>
    word.replaceAll(/\$\((\w+)\)/g, (whole, name) => env[name] ?? whole)
      .replaceAll(`${IMAGE}/bin/deno`, "/run/image/deno").replaceAll(
        `${IMAGE}/app`,
        "/run/image/app",
      )
  );
  const [mount] = container.volumeMounts;
  // What is mounted over vanishes for this process alone: a namespace of mounts of its own.
  const script = `set -e
    cache="$1"; deno="$2"; app="$3"; folder="$4"; shift 4
    exec 3<"$cache" 4<"$deno" 5<"$app" 6<"$folder"
    mount -t tmpfs none /var/lib
    mkdir -p ${mount?.mountPath}
    mount --bind /proc/self/fd/6/state ${mount?.mountPath}
    mount -t tmpfs none /run
    mkdir -p /run/image/cache /run/image/app /run/secrets/kubernetes.io/serviceaccount
    touch /run/image/deno
    mount --bind /proc/self/fd/6/account /run/secrets/kubernetes.io/serviceaccount
    mount --bind /proc/self/fd/3 /run/image/cache
    mount --bind /proc/self/fd/4 /run/image/deno
    mount --bind /proc/self/fd/5 /run/image/app
    for path in / /run /run/image/cache /run/image/app; do mount -o remount,bind,ro $path; done
    cd /run/image/app
    exec 3<&- 4<&- 5<&- 6<&- "$@"`;
  return [
    ...["unshare", "--mount", "sh", "-c", script, "pod"],
    ...[await denoFolder(), Deno.execPath(), ROOT, place.folder],
    ...["setpriv", `--reuid=${user}`, `--regid=${group}`, "--clear-groups", "--no-new-privs"],
    ...["--bounding-set=-all", "--inh-caps=-all"],
    ...["env", "-i", "DENO_DIR=/run/image/cache", "DENO_NO_UPDATE_CHECK=1"],
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ...words,
  ];
}

function environmentOf(
  given: PodSpec["containers"][number]["env"],
  { server, podIP }: PodPlace,
): Record<string, string> {
  const fields: Readonly<Record<string, string>> = { "status.podIP": podIP };
  return {
    KUBERNETES_SERVICE_HOST: server.hostname.replace(/^\[|\]$/g, ""),
    KUBERNETES_SERVICE_PORT: server.port,
    ...Object.fromEntries(given.map(({ name, value, valueFrom }) => {
      const found = value ?? fields[valueFrom?.fieldRef?.fieldPath ?? ""];
      if (found === undefined) throw new TypeError(`nobody knows the value of ${name}`);
      return [name, found];
    })),
  };
}

/** As a kubelet lays a projected volume out: links to a folder that is replaced as a whole. */
async function makeServiceAccount(folder: string, { ca, token }: PodPlace): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(`${folder}/..current`, { recursive: true });
  await Deno.symlink("..current", `${folder}/..data`);
  const files = { "ca.crt": ca, token, namespace: "skerry-system" };
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${folder}/..current/${name}`, text);
    await Deno.symlink(`..data/${name}`, `${folder}/${name}`);
  }
}

async function denoFolder(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
