import assert from "node:assert/strict";
import { ensureHostPath } from "./host_path.ts";
import type { Pod } from "../../../core/api/mod.ts";
import { PodPaths } from "../paths.ts";
import { volumeUsage } from "./usage.ts";
import { dropFormerDirs, findMemoryDir, sweepMemoryDir } from "./memory_dir.ts";
import { resolveSubPath } from "./sub_path.ts";

async function inTemp(fn: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  try {
    await fn(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function names(dir: string): Promise<string[]> {
  const out: string[] = [];
  for await (const entry of Deno.readDir(dir)) {
    if (!entry.name.startsWith("..")) out.push(entry.name);
  }
  return out.sort();
}

Deno.test("resolveSubPath() stays below the volume, through links as well", () =>
  inTemp(async (dir) => {
    const root = `${dir}/vol`;
    await Deno.mkdir(`${root}/in`, { recursive: true });
    await Deno.mkdir(`${dir}/secret`);
    await Deno.symlink("in", `${root}/fine`);
    await Deno.symlink("/etc", `${root}/out`);
    await Deno.symlink("../secret", `${root}/up`);
    await Deno.symlink(`${dir}/none`, `${root}/dangling`);
    assert.equal(await resolveSubPath(root, "fine"), `${root}/in`);
    assert.equal(await resolveSubPath(root, "new/er"), `${root}/new/er`);
    assert.ok((await Deno.stat(`${root}/new/er`)).isDirectory);
    await Deno.chmod(root, 0o3777);
    await resolveSubPath(root, "open/deep");
    assert.equal(((await Deno.stat(`${root}/open/deep`)).mode ?? 0) & 0o7777, 0o3777);
    for (
      const bad of ["../secret", "/etc", "out", "out/x", "up", "in/../../secret", "dangling/x"]
    ) {
      await assert.rejects(resolveSubPath(root, bad), /subPath/, bad);
    }
    await assert.rejects(Deno.stat(`${dir}/none`), Deno.errors.NotFound);
  }));

Deno.test("ensureHostPath() checks and creates what the type says", () =>
  inTemp(async (dir) => {
    await ensureHostPath(`${dir}/d/e`, "DirectoryOrCreate");
    await ensureHostPath(`${dir}/f`, "FileOrCreate");
    await ensureHostPath(`${dir}/d/e`, "Directory");
    await ensureHostPath(`${dir}/f`, "File");
    await ensureHostPath("/dev/null", "CharDevice");
    await ensureHostPath(`${dir}/not-looked-at`, "");
    await assert.rejects(ensureHostPath(`${dir}/f`, "Directory"), /is not a directory/);
    await assert.rejects(ensureHostPath(`${dir}/none`, "Socket"), /is not a socket file/);
    await assert.rejects(ensureHostPath(`${dir}/../x`, ""), /must be absolute/);
  }));

Deno.test({
  name: "ensureHostPath() says which option lets the agent look where it may not",
  permissions: { read: ["/tmp"], write: ["/tmp"] },
  fn: async () => {
    await ensureHostPath("/srv/new", "DirectoryOrCreate");
    await ensureHostPath("/srv/new", undefined);
    await assert.rejects(ensureHostPath("/srv/x", "File"), /--host-paths=\/srv\/x/);
    await assert.rejects(ensureHostPath("/dev/ttyUSB0", "CharDevice"), /bind \/dev to/);
  },
});

Deno.test("sweepMemoryDir() removes the folders of pods that nobody knows", () =>
  inTemp(async (dir) => {
    sweepMemoryDir(dir, () => false);
    for (const uid of ["known", "lost"]) {
      await Deno.mkdir(`${dir}/pods/${uid}/v`, { recursive: true });
    }
    sweepMemoryDir(dir, (uid) => uid === "known");
    assert.deepEqual(await names(`${dir}/pods`), ["known"]);
  }));

Deno.test("findMemoryDir() takes no folder that would reach a disk", () =>
  inTemp(async (dir) => {
    const user = { node: "n1", stateDir: dir };
    assert.deepEqual(await findMemoryDir(`${dir}/m`, user), { why: `${dir}/m is not on a tmpfs` });
    assert.deepEqual(await names(dir), []);
    await Deno.mkdir(`${dir}/mine`);
    await findMemoryDir(`${dir}/mine`, user);
    assert.deepEqual(await names(dir), ["mine"], "somebody else made it");
    const folder = `/dev/shm/skerry-test-${crypto.randomUUID()}`;
    try {
      const [one, two] = [
        await findMemoryDir(folder, user),
        await findMemoryDir(folder, { ...user, stateDir: "/elsewhere" }),
      ];
      assert.ok("dir" in one && "dir" in two && one.dir !== two.dir);
      assert.ok((await Deno.stat(one.dir)).isDirectory);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }));

Deno.test("dropFormerDirs() removes what an agent had under other names, where nothing is in it", () =>
  inTemp(async (dir) => {
    const folder = `/dev/shm/skerry-test-${crypto.randomUUID()}`;
    const dirOf = async (node: string, stateDir = dir): Promise<string> => {
      const found = await findMemoryDir(folder, { node, stateDir });
      assert.ok("dir" in found);
      return found.dir;
    };
    try {
      const bare = await dirOf("bare");
      const used = await dirOf("used");
      await Deno.mkdir(`${used}/pods`);
      await Deno.mkdir(`${used}/links`);
      const kept = [
        await dirOf("own"),
        await dirOf("other", "/elsewhere"),
        await dirOf("with-a-pod"),
        await dirOf("with-a-file"),
        await dirOf("strange"),
      ];
      // An empty volume that a container may still have.
      await Deno.mkdir(`${kept[2]}/pods/uid`, { recursive: true });
      await Deno.writeTextFile(`${kept[3]}/x`, "");
      await Deno.mkdir(`${kept[4]}/something`);
      await Deno.mkdir(`${kept[4]}/pods`);
      dropFormerDirs(folder, { node: "own", stateDir: dir });
      for (const gone of [bare, used]) await assert.rejects(Deno.stat(gone), Deno.errors.NotFound);
      assert.deepEqual(
        (await names(folder)).map((name) => `${folder}/${name}`),
        kept.toSorted(),
      );
      assert.ok((await Deno.stat(`${kept[2]}/pods/uid`)).isDirectory);
      assert.deepEqual(await names(kept[4] ?? ""), ["pods", "something"]);
      dropFormerDirs(`${folder}/none`, { node: "own", stateDir: dir });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }));

Deno.test("volumeUsage() counts what emptyDirs hold, and stops when it is told", () =>
  inTemp(async (dir) => {
    const paths = new PodPaths({ stateDir: dir, logDir: dir, memoryDir: `${dir}/m` });
    const pod: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p", uid: "u" },
      spec: {
        containers: [],
        volumes: [
          { name: "disk", emptyDir: { sizeLimit: "1Mi" } },
          { name: "mem", emptyDir: { medium: "Memory" } },
          { name: "new", emptyDir: {} },
        ],
      },
    };
    const root = `${dir}/pods/u/volumes/kubernetes.io~empty-dir/disk`;
    await Deno.mkdir(`${root}/sub`, { recursive: true });
    await Deno.writeFile(`${root}/sub/f`, new Uint8Array(100_000));
    await Deno.symlink("/", `${root}/out`);
    await Deno.mkdir(`${dir}/m/pods/u/volumes/kubernetes.io~empty-dir/mem`, { recursive: true });
    const never = new AbortController().signal;
    const [disk, mem, fresh] = await volumeUsage(paths, pod, never);
    assert.ok(disk && disk.used >= 100_000 && disk.used < 200_000, `${disk?.used}`);
    assert.deepEqual([disk.inodes, disk.limit, disk.memory], [3, 2 ** 20, false]);
    assert.deepEqual(mem, { name: "mem", memory: true, used: 0, inodes: 0 });
    assert.deepEqual(fresh, { name: "new", memory: false, used: 0, inodes: 0 });
    await assert.rejects(volumeUsage(paths, pod, AbortSignal.abort(new Error("over"))), /over/);
  }));
