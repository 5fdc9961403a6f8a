import assert from "node:assert/strict";
import { bytes, hours, ms, VirtualClock } from "../../core/base/mod.ts";
import { NAME_TAKEN } from "../../core/join/mod.ts";
import { AGENT_OPTIONS, parseOptions } from "../../core/parts/mod.ts";
import type { MachineFacts } from "../node/mod.ts";
import { FakeMachine } from "../runtimes/fake/mod.ts";
import type { CheckContext } from "./check.ts";
import { CHECKS, runChecks } from "./checks.ts";

const never = new AbortController().signal;
/** Holds the folders of all gateways. */
const root = await Deno.makeTempDir();
Deno.test.afterAll(() => Deno.remove(root, { recursive: true }));

/** A gateway where all is well, changed by `changes`. */
async function gateway(changes: Partial<CheckContext> = {}): Promise<CheckContext> {
  const folder = await Deno.makeTempDir({ dir: root });
  const clock = new VirtualClock(ms(Date.UTC(2026, 5, 1)));
  const machine = { addresses: ["192.0.2.7"] } as unknown as MachineFacts;
  const room = { size: bytes(2 ** 30), available: bytes(2 ** 29), inodes: 100, inodesFree: 90 };
  return {
    options: {
      ...parseOptions(AGENT_OPTIONS, ["--hub=hub.example:10000"]),
      "state-dir": `${folder}/state`,
      "pod-logs": `${folder}/logs`,
    },
    machine,
    clock,
    runtime: new FakeMachine({ clock }).connect(),
    memoryDir: () => Promise.resolve({ dir: "/run/skerry/volumes/n1" }),
    disk: () => Promise.resolve(room),
    has: () => Promise.resolve("there"),
    services: () => [],
    engine: () => "wasmtime 50.0.1",
    strays: () => undefined,
    node: "gateway-1",
    link: () => ({ connected: true }),
    certificateEnds: () => clock.now() + hours(24 * 30),
    memory: () => ({ total: 2 ** 32, available: 2 ** 31 }),
    ...changes,
  };
}

async function failures(changes: Partial<CheckContext>): Promise<Record<string, string>> {
  const results = await runChecks(await gateway(changes), never);
  return Object.fromEntries(
    results.filter(({ ok }) => !ok).map(({ name, message }) => [name, message]),
  );
}

Deno.test("runChecks() finds nothing wrong with a good gateway, and names each check once", async () => {
  assert.deepEqual(await failures({}), {});
  const names = CHECKS.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
  assert.ok(names.length >= 12, `${names}`);
});

Deno.test("runChecks() names pods of other nodes, which are no fault", async () => {
  const machine = new FakeMachine({ clock: new VirtualClock() });
  const runtime = machine.connect();
  const podsByNode = () => Promise.resolve(new Map([["gateway-1", 2], ["old", 3]]));
  const context = await gateway({ runtime: Object.assign(runtime, { podsByNode }) });
  const found = (await runChecks(context, never)).find(({ name }) => name === "stray-pods");
  assert.equal(found?.ok, true);
  assert.match(found?.message ?? "", /other nodes run on this machine: old \(3\)\. If no/);
});

const CASES: [what: string, changes: Partial<CheckContext>, name: string, words: RegExp][] = [
  [
    "pods that nobody knows",
    { strays: () => "1 pods run on this node" },
    "stray-pods",
    /run on this node/,
  ],
  [
    "no tmpfs",
    { memoryDir: () => Promise.resolve({ why: "/srv/x is not on a tmpfs" }) },
    "secrets-in-memory",
    /^\/srv\/x is not on a tmpfs, so pods with secrets are refused: mount a tmpfs/,
  ],
  ["no runner", { engine: () => undefined }, "runner", /deno task runner/],
  [
    "no link",
    { link: () => ({ connected: false, lastError: "connection refused" }) },
    "link",
    /no link to hub\.example:10000 \(connection refused\)/,
  ],
  [
    "a node that is shut out",
    { link: () => ({ connected: false, lastError: "the node was deleted", shutOut: true }) },
    "link",
    new RegExp(
      "has shut this node out \\(the node was deleted\\).*token create --node gateway-1.*" +
        "deno task agent --hub hub\\.example:10000 --token TOKEN.*systemctl restart skerry-agent",
    ),
  ],
  [
    "a node of which another has the name",
    {
      link: () => ({ connected: false, lastError: `session over: ${NAME_TAKEN}`, shutOut: true }),
    },
    "link",
    /token create --node gateway-1 --replace"; then/,
  ],
  [
    "no identity",
    { certificateEnds: () => undefined },
    "certificate",
    /token create --node gateway-1/,
  ],
  ["an old identity", { certificateEnds: () => 0 }, "certificate", /join again: .*token create/],
  [
    "a part that fails again and again",
    {
      services: () => [
        { name: "pods", phase: "backing-off", restarts: 3, since: ms(0), lastError: "no luck" },
      ],
    },
    "services",
    /pods fails \(3 times so far\): no luck/,
  ],
  ["little memory", { memory: () => ({ total: 2 ** 30, available: 1 }) }, "memory", /evicts/],
  ["no address", { machine: { addresses: [] } as unknown as MachineFacts }, "address", /--node-ip/],
];
for (const [what, changes, name, words] of CASES) {
  Deno.test(`runChecks() says what to do about ${what}`, async () => {
    const found = await failures(changes);
    assert.deepEqual(Object.keys(found), [name]);
    assert.match(found[name] ?? "", words);
  });
}

Deno.test("runChecks() says which folder lacks what when the network is not ready", async () => {
  const clock = new VirtualClock(ms(Date.UTC(2026, 5, 1)));
  const machine = new FakeMachine({ clock });
  machine.networkReady = false;
  const found = await failures({ clock, runtime: machine.connect() });
  assert.match(found["network"] ?? "", /\/etc\/cni\/net\.d/);
  const problem = "no network config found in /etc/cni/other";
  const cni = {
    configDir: "/etc/cni/other",
    binDirs: ["/opt/a", "/opt/b"],
    plugins: [],
    subnets: [],
    problem,
  };
  machine.details = { cni };
  assert.match(
    (await failures({ clock, runtime: machine.connect() }))["network"] ?? "",
    /^no network config found in \/etc\/cni\/other: .* in \/opt\/a or \/opt\/b; pods with/,
  );
});

Deno.test("runChecks() says that pods have addresses to which the agent may not connect", async () => {
  const clock = new VirtualClock(ms(Date.UTC(2026, 5, 1)));
  const machine = new FakeMachine({ clock });
  const runtime = machine.connect();
  const found = async (...subnets: string[]): Promise<string | undefined> => {
    machine.details = { cni: { configDir: "/etc/cni", binDirs: [], plugins: [], subnets } };
    return (await failures({ clock, runtime }))["network"];
  };
  for (const good of ["10.42.7.0/24", "10.42.0.0/16"]) {
    assert.equal(await found(good, "fd00::/64"), undefined);
  }
  for (const other of ["10.200.1.0/24", "10.0.0.0/8"]) {
    assert.match(await found(other, "10.42.7.0/24") ?? "", new RegExp(`--pod-cidr=${other}`));
  }
  // The option takes no such range.
  const ipv6 = await found("fd00::/64", "10.42.7.0/24") ?? "";
  assert.match(ipv6, /addresses of fd00::\/64 .* until a range of IPv4 stands there first$/);
});

Deno.test("runChecks() names the network plugins that are in none of their folders", async () => {
  const clock = new VirtualClock(ms(Date.UTC(2026, 5, 1)));
  const machine = new FakeMachine({ clock });
  machine.details = {
    cni: {
      configDir: "/etc/cni/net.d",
      binDirs: ["/opt/a", "/secret"],
      plugins: ["bridge", "portmap", "host-local"],
      subnets: [],
    },
  };
  const has = (found: Record<string, "there" | "hidden">) => (path: string) =>
    Promise.resolve(found[path] ?? "missing" as const);
  const runtime = machine.connect();
  const some = has({ "/opt/a/bridge": "there", "/secret/portmap": "hidden" });
  assert.deepEqual(await failures({ clock, runtime, has: some }), {
    "network-plugins": "host-local not found in /opt/a or /secret: install the CNI plugins there",
  });
});

Deno.test("runChecks() tells of a full disk and of a folder that cannot be written", async () => {
  const full = { size: bytes(1000), available: bytes(10), inodes: 0, inodesFree: 0 };
  assert.match(
    (await failures({ disk: () => Promise.resolve(full) }))["state"] ?? "",
    /nearly full/,
  );
  const file = await Deno.makeTempFile({ dir: root });
  const { options } = await gateway();
  const found = await failures({ options: { ...options, "state-dir": `${file}/x` } });
  assert.match(found["state"] ?? "", /--state-dir/);
});

Deno.test("runChecks() measures memory and disks by the node's own thresholds", async () => {
  const { options } = await gateway();
  const hard = "memory.available<3Gi,nodefs.available<60%,nodefs.inodesFree<95%";
  const found = await failures({ options: { ...options, "eviction-hard": hard } });
  assert.deepEqual(Object.keys(found).toSorted(), ["memory", "pod-logs", "state"]);
  assert.match(found["memory"] ?? "", /memory.available 3221225472/);
  assert.match(found["state"] ?? "", /nodefs.available 60%, nodefs.inodesFree 95%/);
  const never = "memory.available<0%,nodefs.available<0%";
  const full = { size: bytes(1000), available: bytes(10), inodes: 100, inodesFree: 1 };
  const calm = await failures({
    options: { ...options, "eviction-hard": never },
    disk: () => Promise.resolve(full),
    memory: () => ({ total: 2 ** 30, available: 1 }),
  });
  assert.deepEqual(calm, {});
});

Deno.test("runChecks() leaves out what has no meaning for a node alone without containers", async () => {
  const { options } = await gateway();
  const context = await gateway({
    options: { ...options, "cri-socket": "none" },
    runtime: undefined,
    link: undefined,
  });
  const names = (await runChecks(context, never)).map(({ name }) => name);
  assert.deepEqual(names, [
    "state",
    "services",
    "memory",
    "clock",
    "address",
    "resolver",
    "runner",
  ]);
});
