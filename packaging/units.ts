/**
 * The systemd units, written from the same options and permissions that the launcher uses:
 * `deno run -P=tools packaging/units.ts` writes them into `packaging/systemd/`; a test fails when
 * they differ.
 */
import { BUNDLE } from "../cli/agent_main.ts";
import { partArgs, type PartSpec } from "../cli/launch.ts";
import {
  AGENT_OPTIONS,
  type AgentOptions,
  EXIT,
  HOST_VIEW,
  HUB_OPTIONS,
  parseOptions,
  RUNNER_OPTIONS,
} from "../core/parts/mod.ts";

/** Where a package lays the program, its runtime and its cached packages. */
const INSTALLED = "/usr/lib/skerry";
const DENO = `${INSTALLED}/bin/deno`;
const APP = `${INSTALLED}/app`;

interface Unit {
  readonly name: string;
  readonly description: string;
  /** Lines of `[Unit]` beside the description. */
  readonly unit: readonly string[];
  readonly spec: PartSpec;
  /** Options that only the environment file knows, added as they are. */
  readonly extra: string;
  /** Lines of `[Service]` that are this unit's own. */
  readonly service: readonly string[];
}

/** What every unit may not do, whatever its process wants. */
const HARDENING = [
  "NoNewPrivileges=yes",
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "PrivateTmp=yes",
  "ProtectClock=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelTunables=yes",
  "ProtectControlGroups=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "LockPersonality=yes",
  "SystemCallArchitectures=native",
  "SystemCallFilter=@system-service",
  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
  "UMask=0077",
];

/** What the agent cannot have: it looks at devices and modules, and sets the group bit of volumes. */
const NO_HOST = ["PrivateDevices=yes", "ProtectKernelModules=yes", "RestrictSUIDSGID=yes"];

const AGENT_SERVICE = [
  "# root, because the CRI socket is root's and volumes belong to the users of containers;",
  "# of root's powers only those over files are left, and to listen at 443 (--api-port).",
  "User=root",
  "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_NET_BIND_SERVICE",
  "DevicePolicy=closed",
  "# hostPath volumes may ask what a device is, and Deno looks at nothing below /dev or /sys.",
  `BindReadOnlyPaths=/dev:${HOST_VIEW}/dev /sys:${HOST_VIEW}/sys`,
  "# How many processes there are and may be, for eviction.",
  `BindReadOnlyPaths=${
    ["/proc/loadavg", "/proc/sys/kernel/pid_max"].map((path) => `${path}:${HOST_VIEW}${path}`)
      .join(" ")
  }`,
  "# The second is where device plugins register.",
  "StateDirectory=skerry/agent kubelet/device-plugins",
  "StateDirectoryMode=0750",
  "ReadWritePaths=-/var/log/pods -/run/xtables.lock",
  "# Secrets of pods, in memory only; pods run on while the agent restarts.",
  "RuntimeDirectory=skerry/volumes",
  "RuntimeDirectoryMode=0700",
  "RuntimeDirectoryPreserve=yes",
  "Slice=skerry.slice",
  "MemoryMax=192M",
  "# When the machine goes down pods end before the runtime does, in the order of their priority.",
  `ExecStop=/bin/sh -c '[ "$$(systemctl is-system-running)" != stopping ] || kill -PWR $$MAINPID'`,
  "TimeoutStopSec=60",
];

/** @param more options whose values systemd fills in: no parser reads them here */
function agentSpec(more: Partial<AgentOptions> = {}): PartSpec {
  const options = parseOptions(AGENT_OPTIONS, [
    "--state-dir=/var/lib/skerry/agent",
    "--runner-socket=/run/skerry-runner/control.sock",
    "--manifests=/etc/skerry/manifests",
    "--function-files=/etc/skerry/functions",
  ]);
  return { part: "agent", main: `${APP}/${BUNDLE}`, options: { ...options, ...more } };
}

const UNITS: readonly Unit[] = [
  {
    name: "skerry-hub.service",
    description: "Skerry hub: the Kubernetes API and the door for gateways",
    unit: ["Wants=network-online.target", "After=network-online.target"],
    spec: {
      part: "hub",
      options: parseOptions(HUB_OPTIONS, ["--state-dir=/var/lib/skerry/hub"]),
    },
    extra: "$SKERRY_HUB_OPTIONS",
    service: [
      "EnvironmentFile=-/etc/skerry/hub.env",
      "User=skerry-hub",
      "CapabilityBoundingSet=",
      ...NO_HOST,
      "StateDirectory=skerry/hub",
      "StateDirectoryMode=0700",
      "Slice=skerry.slice",
      "MemoryMax=1G",
      "TimeoutStopSec=30",
    ],
  },
  {
    name: "skerry-agent.service",
    description: "Skerry agent: pods, functions and devices of this gateway",
    unit: [
      "Wants=skerry-runner.service",
      "After=skerry-runner.service containerd.service network.target",
      "# No network-online.target: a gateway works without its network.",
      "ConditionPathExists=/etc/skerry/agent.env",
      "Conflicts=skerry-agent-alone.service",
    ],
    spec: agentSpec({ "hub": "${SKERRY_HUB}", "token-file": "/etc/skerry/token" }),
    extra: "$SKERRY_AGENT_OPTIONS",
    service: ["EnvironmentFile=/etc/skerry/agent.env", ...AGENT_SERVICE],
  },
  {
    name: "skerry-agent-alone.service",
    description: "Skerry agent without a hub: pods and functions from /etc/skerry/manifests",
    unit: [
      "Wants=skerry-runner.service",
      "After=skerry-runner.service containerd.service network.target",
    ],
    spec: agentSpec(),
    extra: "$SKERRY_AGENT_OPTIONS",
    service: ["EnvironmentFile=-/etc/skerry/agent.env", ...AGENT_SERVICE],
  },
  {
    name: "skerry-runner.service",
    description: "Skerry runner: WASM functions, with a user and a cgroup of its own",
    unit: ["Before=skerry-agent.service"],
    spec: {
      part: "runner",
      library: `${INSTALLED}/lib/libwasmtime.so`,
      options: parseOptions(RUNNER_OPTIONS, [
        "--state-dir=/var/lib/skerry/runner",
        "--control-socket=/run/skerry-runner/control.sock",
        `--libwasmtime=${INSTALLED}/lib/libwasmtime.so`,
      ]),
    },
    extra: "$SKERRY_RUNNER_OPTIONS",
    service: [
      "# No MemoryDenyWriteExecute: V8 and wasmtime write machine code.",
      "EnvironmentFile=-/etc/skerry/runner.env",
      "User=skerry-runner",
      "CapabilityBoundingSet=",
      ...NO_HOST,
      "StateDirectory=skerry/runner",
      "StateDirectoryMode=0700",
      "RuntimeDirectory=skerry-runner",
      "RuntimeDirectoryMode=0750",
      "Slice=skerry-functions.slice",
      "MemoryMax=320M",
      "TasksMax=64",
      "OOMScoreAdjust=500",
      "LimitCORE=0",
      "TimeoutStopSec=15",
    ],
  },
];

/** The text of every unit file, by file name. */
export function unitFiles(): ReadonlyMap<string, string> {
  return new Map(UNITS.map((unit) => [unit.name, unitText(unit)]));
}

function unitText(unit: Unit): string {
  const final = [
    EXIT.usage,
    EXIT.cannotCreate,
    EXIT.noState,
    EXIT.needsJoin,
    EXIT.unsupported,
  ];
  return [
    "# Written by packaging/units.ts. Change it there, or with: systemctl edit " + unit.name,
    "[Unit]",
    `Description=${unit.description}`,
    ...unit.unit,
    "",
    "[Service]",
    "Type=exec",
    `WorkingDirectory=${APP}`,
    `Environment=DENO_DIR=${INSTALLED}/cache DENO_NO_UPDATE_CHECK=1 MALLOC_ARENA_MAX=1`,
    `ExecStart=${DENO} \\`,
    ...installedArgs(unit.spec).map((arg) => `  ${arg} \\`),
    `  ${unit.extra}`,
    "Restart=on-failure",
    "RestartSec=2",
    "# A restart does not mend these: options, a taken port, a damaged store or a folder that",
    "# cannot be written, a missing join, a missing library.",
    `RestartPreventExitStatus=${final.join(" ")}`,
    ...unit.service,
    ...HARDENING,
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    "",
  ].join("\n");
}

/** The launcher's arguments, with the paths of an installed package. */
function installedArgs(spec: PartSpec): string[] {
  const here = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
  return partArgs(spec).map((arg) =>
    arg.replaceAll(Deno.execPath(), DENO).replaceAll(`${here}/`, `${APP}/`)
  );
}

if (import.meta.main) {
  for (const [name, text] of unitFiles()) {
    await Deno.writeTextFile(new URL(`./systemd/${name}`, import.meta.url), text);
  }
}
