import { dockerArchive } from "./docker_archive.ts";
import { type TarEntry, writeTar } from "./tar.ts";

/** Names of the images that the test kit imports; no registry has them. */
export const TEST_IMAGES = {
  /** All of busybox; runs `sh` when no command is given. */
  busybox: "skerry.test/busybox:1",
  /** The same files, as the user 1000. */
  nonroot: "skerry.test/nonroot:1",
  /** Sleeps; the sandbox image. */
  pause: "skerry.test/pause:1",
} as const;

const BUSYBOX_PATHS = ["/bin/busybox", "/usr/bin/busybox"];
const GO_ARCHITECTURES: Record<string, string> = { x86_64: "amd64", aarch64: "arm64" };

/** This machine's architecture as images name it. */
export const GO_ARCHITECTURE = GO_ARCHITECTURES[Deno.build.arch] ?? Deno.build.arch;

/**
 * Builds one docker archive with all of {@linkcode TEST_IMAGES} from this machine's statically linked
 * busybox (Debian's `busybox-static`). They share one layer.
 *
 * @throws {Error} when there is no static busybox; the message says what to install.
 */
export async function buildTestImages(): Promise<Uint8Array<ArrayBuffer>> {
  const layer = await busyboxLayer();
  return await dockerArchive(layer, [
    { ref: TEST_IMAGES.busybox, cmd: ["sh"] },
    { ref: TEST_IMAGES.nonroot, cmd: ["sh"], user: "1000" },
    // The kernel drops TERM for a pid 1 without a handler; runtimes end sandboxes with KILL.
    { ref: TEST_IMAGES.pause, entrypoint: ["/bin/sleep", "2147483647"] },
  ], GO_ARCHITECTURE);
}

/** The files of {@linkcode TEST_IMAGES}, as a tar archive. */
export async function busyboxLayer(): Promise<Uint8Array<ArrayBuffer>> {
  return writeTar(rootFiles(await loadBusybox(), await busyboxApplets()));
}

async function loadBusybox(): Promise<Uint8Array<ArrayBuffer>> {
  for (const path of BUSYBOX_PATHS) {
    const data = await Deno.readFile(path).catch(() => undefined);
    if (!data) continue;
    // A dynamic program names its loader; in a root without libraries it could not start.
    const head = new TextDecoder("latin1").decode(data.subarray(0, 4096));
    if (!/\/ld-(linux|musl)/.test(head)) return data;
  }
  throw new Error("No statically linked busybox found: apt-get install busybox-static");
}

async function busyboxApplets(): Promise<string[]> {
  const { stdout } = await new Deno.Command("busybox", { args: ["--list"] }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((name) =>
    name !== "" && name !== "busybox"
  );
}

function rootFiles(busybox: Uint8Array, applets: readonly string[]): TarEntry[] {
  const text = (path: string, content: string): TarEntry => ({
    kind: "file",
    path,
    mode: 0o644,
    data: new TextEncoder().encode(content),
  });
  const dir = (path: string, mode = 0o755): TarEntry => ({ kind: "directory", path, mode });
  return [
    dir("bin/"),
    { kind: "file", path: "bin/busybox", mode: 0o755, data: busybox },
    ...applets.map((name): TarEntry => ({
      kind: "link",
      path: `bin/${name}`,
      target: "bin/busybox",
    })),
    dir("etc/"),
    text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home:/bin/sh\n"),
    text("etc/group", "root:x:0:\nuser:x:1000:\n"),
    dir("home/"),
    dir("proc/"),
    dir("root/", 0o700),
    dir("sys/"),
    dir("tmp/", 0o1777),
    dir("var/"),
    dir("var/run/"),
  ];
}
