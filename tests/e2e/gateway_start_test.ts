import assert from "node:assert/strict";
import { openClient } from "../../cli/client.ts";
import { mustRun } from "../../tools/containerd/machine.ts";
import { lacks } from "../../tools/test/needs.ts";
import { partCommand, Site, stepsOf } from "./gateway_lib.ts";
import { childrenOf, type Running, signalId, until } from "./gateway_process_lib.ts";

const noRoot = lacks("root");

/** Exit codes of the parts (core/parts): they are API. */
const EXIT = { usage: 64, cannotCreate: 73, noState: 74, inUse: 75, unsupported: 78 };

/** Starts a part, which must give up for good: its launcher must not try again. */
async function givesUp(process: Running, code: number, why: RegExp): Promise<void> {
  await process.prints(why);
  assert.equal(await process.exit(30), code, process.output);
}

/** Starts the hub and waits for nothing. */
function startHub(site: Site, flags: readonly string[] = []): Running {
  return site.start("hub", partCommand("hub", site.hubFlags(flags)));
}

function listen(port: number): Deno.Listener {
  return Deno.listen({ hostname: "127.0.0.1", port });
}

Deno.test("a part whose port is taken says which, and ends with 73", () =>
  Site.run(async (site) => {
    for (const name of ["node", "api", "hub-metrics"]) {
      using taken = listen(site.port(name));
      const port = (taken.addr as Deno.NetAddr).port;
      const hub = startHub(site);
      await givesUp(hub, EXIT.cannotCreate, new RegExp(`\\b${port}\\b.*taken`));
      assert.doesNotMatch(hub.output, /is ready/);
    }
    for (const name of ["alone-api", "alone-metrics"]) {
      using taken = listen(site.port(name));
      const port = (taken.addr as Deno.NetAddr).port;
      const agent = site.startAgent("alone");
      await givesUp(agent, EXIT.cannotCreate, new RegExp(`\\b${port}\\b.*taken`));
    }
    using taken = listen(site.port("alone-gateway"));
    const port = (taken.addr as Deno.NetAddr).port;
    const flags = [`--gateway-port=${port}`, `--state-dir=${site.folder}/runner`];
    const socket = `--control-socket=${site.folder}/runner/control.sock`;
    const runner = site.start("runner", partCommand("runner", [...flags, socket]));
    await givesUp(runner, EXIT.cannotCreate, new RegExp(`\\b${port}\\b.*taken`));
  }));

Deno.test("unknown options and bad values end every part with 64, all named at once", () =>
  Site.run(async (site) => {
    for (const part of ["hub", "agent", "runner"]) {
      const flags = ["--stat-dir=x", "--log-level"];
      const process = site.start(part, partCommand(part, flags));
      await givesUp(process, EXIT.usage, /--stat-dir.*did you mean --state-dir.*--log-level/s);
    }
    const wrong = site.start("no part", partCommand("hubb", []));
    await givesUp(wrong, EXIT.usage, /hub, agent or runner/);
    const token = `skerry1.${"0".repeat(64)}.id.secret`;
    const address = site.startAgent("n1", { hub: "nowhere", token });
    await givesUp(address, EXIT.usage, /HOST:PORT/);
  }));

/** Makes a database one of a newer version: bytes 60 to 63 of the header (SQLite file format). */
async function makeNewer(path: string): Promise<void> {
  using file = await Deno.open(path, { read: true, write: true });
  await file.seek(60, Deno.SeekMode.Start);
  await file.write(new Uint8Array([0, 0, 0, 99]));
}

Deno.test("a state folder of a newer version is refused with 78 and left as it is", () =>
  Site.run(async (site) => {
    const hub = await site.embeddedHub();
    hub.process.signal("SIGTERM");
    assert.equal(await hub.process.exit(30), 0);
    const agent = await site.agent("n1");
    agent.process.signal("SIGTERM");
    assert.equal(await agent.process.exit(30), 0);
    const starts = {
      [`${site.folder}/hub/hub.db`]: () => startHub(site),
      [`${site.folder}/n1/agent/agent.db`]: () => site.startAgent("n1"),
    };
    for (const [path, start] of Object.entries(starts)) {
      await makeNewer(path);
      const before = await Deno.readFile(path);
      await givesUp(
        start(),
        EXIT.unsupported,
        /the store \S+ has schema version 99, this build of Skerry reads up to \d+: run the newer Skerry again, or give it another state folder/,
      );
      assert.deepEqual(await Deno.readFile(path), before);
    }
  }));

/** Starts every part with a state folder below `root`. */
function startParts(site: Site, root: string): Record<"hub" | "agent" | "runner", () => Running> {
  const runner = [`--state-dir=${root}/runner`, `--control-socket=${site.folder}/c.sock`];
  return {
    hub: () => startHub(site, [`--state-dir=${root}/hub`]),
    agent: () =>
      site.start("agent", [
        ...partCommand("agent", site.agentFlags("n1")),
        `--state-dir=${root}/agent`,
      ]),
    runner: () =>
      site.start("runner", partCommand("runner", [...runner, `--gateway-port=${site.port("g")}`])),
  };
}

Deno.test("a state folder that is a file, or below one, ends every part with 74 and the path", () =>
  Site.run(async (site) => {
    await Deno.mkdir(`${site.folder}/files`);
    for (const part of ["hub", "agent", "runner"] as const) {
      await Deno.writeTextFile(`${site.folder}/files/${part}`, "");
      const why = new RegExp(
        `skerry: the ${part} ended with exit code 74: .*${site.folder}.*use a`,
      );
      await givesUp(startParts(site, `${site.folder}/files`)[part](), EXIT.noState, why);
      await givesUp(startParts(site, `${site.folder}/files/hub`)[part](), EXIT.noState, why);
    }
  }));

Deno.test({
  name: `a read-only state folder ends every part with 74${noRoot ? ` (skipped: ${noRoot})` : ""}`,
  ignore: noRoot !== undefined,
  fn: () =>
    Site.run(async (site) => {
      const root = `${site.folder}/disk`;
      await smallDisk(site, root);
      await Deno.mkdir(`${root}/hub`);
      await mustRun("mount", ["-o", "remount,ro", root]);
      for (const part of ["hub", "agent", "runner"] as const) {
        const why = new RegExp(`the ${part} ended with exit code 74: .*${root}.*[Rr]ead-only`);
        await givesUp(startParts(site, root)[part](), EXIT.noState, why);
      }
    }),
});

Deno.test("a damaged store ends its part with 74, says what to do and is left as it is", () =>
  Site.run(async (site) => {
    for (const part of ["hub", "agent"] as const) {
      const path = `${site.folder}/${part}/${part}.db`;
      await Deno.mkdir(`${site.folder}/${part}`);
      await Deno.writeTextFile(path, "no database ".repeat(1000));
      const why = new RegExp(`exit code 74: the store ${path} is damaged .* put a copy of it back`);
      await givesUp(startParts(site, site.folder)[part](), EXIT.noState, why);
      assert.match(await Deno.readTextFile(path), /^no database/);
    }
  }));

Deno.test("a store in use by another process is tried a few times, then given up with 75", () =>
  Site.run(async (site) => {
    const hub = await site.embeddedHub();
    const second = startHub(site, [`--state-dir=${site.folder}/hub`]);
    await second.prints(/ended with exit code 75: .*in use by another.*starting it again in/);
    await second.prints(
      /exit code 75: [^;]*in use by another process[^;]*; stop that one first[^;]*$/m,
      60,
    );
    assert.equal(await second.exit(30), EXIT.inUse);
    assert.equal(hub.process.code, undefined);
  }));

Deno.test("a part that was killed is started again, and its launcher says so", () =>
  Site.run(async (site) => {
    const hub = startHub(site);
    await hub.prints(/hub is ready/);
    const isPart = ({ command }: { command: string }) => command.includes("cloud/main.ts");
    const [part] = (await childrenOf(hub.pid)).filter(isPart);
    assert.ok(part);
    signalId(part.pid, "SIGKILL");
    await hub.prints(/^skerry: the hub was killed by SIGKILL; starting it again in \d/m);
    await until("it runs again", async () => (await childrenOf(hub.pid)).some(isPart));
  }));

Deno.test("a comma in a path is refused, as permissions would be split by it", () =>
  Site.run(async (site) => {
    for (const part of ["hub", "agent", "runner"] as const) {
      const start = startParts(site, `${site.folder}/a,b`)[part];
      await givesUp(start(), EXIT.usage, /must be \w+, a path without a comma.*a,b\/\w+$/m);
    }
  }));

/** A small file system that is removed with the site. */
async function smallDisk(site: Site, folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await mustRun("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]);
  site.hold({
    [Symbol.asyncDispose]: async () => void await mustRun("umount", ["-l", folder]),
  });
}

/** Fills the file system of `folder` to the last byte. */
async function fill(folder: string): Promise<void> {
  using file = await Deno.open(`${folder}/filler`, { write: true, create: true });
  for (let size = 65536; size >= 1; size = Math.floor(size / 2)) {
    try {
      for (;;) await file.write(new Uint8Array(size));
    } catch {
      // Full at this size; a smaller piece may still fit.
    }
  }
}

Deno.test({
  name: `a full disk at the start is told, and costs nothing${
    noRoot ? ` (skipped: ${noRoot})` : ""
  }`,
  ignore: noRoot !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const parts: Record<string, { folder: string; start: () => Running }> = {
        hub: { folder: `${site.folder}/hub`, start: () => startHub(site) },
        agent: { folder: `${site.folder}/n1/agent`, start: () => site.startAgent("n1") },
      };
      for (const [part, { folder, start }] of Object.entries(parts)) {
        await step(`the ${part}, with a folder that is new`, async () => {
          await smallDisk(site, folder);
          await fill(folder);
          const process = start();
          await process.prints(/stopped by an error.*(full|No space left)/);
          await Deno.remove(`${folder}/filler`);
          // The launcher tries again, and now it can.
          await process.prints(/is ready/);
          process.signal("SIGTERM");
          assert.equal(await process.exit(30), 0);
        });
        await step(`the ${part}, with state`, async () => {
          const kubeconfig = `${folder}/${KUBECONFIG[part]}`;
          const before = authority(await Deno.readTextFile(kubeconfig));
          await fill(folder);
          const process = start();
          // The hub has something to write at once; an agent serves what it has.
          if (part === "hub") await process.prints(/"level":"error".*(full|No space left)/);
          else await process.prints(/is ready/);
          await Deno.remove(`${folder}/filler`);
          await process.prints(/is ready/);
          using api = await openClient(kubeconfig);
          await until("the API answers", () => api.request("GET", "/api/v1/nodes"));
          process.signal("SIGTERM");
          assert.equal(await process.exit(30), 0);
          assert.equal(authority(await Deno.readTextFile(kubeconfig)), before);
        });
      }
    }),
});

/** Where each part writes its kubeconfig, below its state folder. */
const KUBECONFIG: Record<string, string> = { hub: "admin.kubeconfig", agent: "api/kubeconfig" };

/** What must stay the same: the CA that everybody trusts. */
function authority(kubeconfig: string): string {
  const found = /certificate-authority-data"?:\s*"?([A-Za-z0-9+/=]+)/.exec(kubeconfig);
  assert.ok(found?.[1], kubeconfig);
  return found[1];
}
