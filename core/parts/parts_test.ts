import { strictEqual, throws } from "node:assert/strict";
import { isAppError } from "../base/mod.ts";
import { formatOptions, type OptionTable, parseOptions } from "./options.ts";
import { AGENT_OPTIONS, HUB_OPTIONS, RUNNER_OPTIONS } from "./parts.ts";

/** What an option takes, and what it must not. */
type Case = readonly [name: string, good: readonly string[], bad: readonly string[]];

const LONG = "a".repeat(64);
const LISTEN = [
  ["127.0.0.1", "0.0.0.0", "::", "fd00::9", "localhost"],
  ["", "10.0.0", "10.0.0.256", "010.0.0.1", "fe80::1%eth0", "[::]", "127.0.0.1:80", "eth0"],
] as const;
const REACHED = [
  ["hub.example.com", "hub", "Hub_1.local", "192.0.2.7", "fd00::9", "127.0.0.1"],
  ["10.0.0", "1.2.3", "hub:10000", "https://hub", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "-a"],
] as const;
const RANGE = [
  ["10.42.0.0/16", "10.42.7.9/32", "0.0.0.0/0"],
  ["10.42.0.0", "10.42.0.0/33", "10.42.0/16", "10.0.0.0/8/8", "10.0.0.0/08", "fd00::/64", "pods"],
] as const;
const WHOLE_SECONDS = [["0", "1", "86400"], ["-1", "30s", "1.5", "86401", ""]] as const;

const HUB: readonly Case[] = [
  ["node-address", ...LISTEN],
  ["api-address", ...LISTEN],
  ["metrics-address", ...LISTEN],
  ["kubelet-address", REACHED[0], ["", ...REACHED[1]]],
  ["peer-address", ["", ...REACHED[0]], REACHED[1]],
  ["advertise", [...REACHED[0], "*.example.com"], ["", "*", "*.7", "*.10.0.0.1", ...REACHED[1]]],
  ["peer-cidr", ["", ...RANGE[0]], RANGE[1]],
  ["service-cidr", ["10.96.0.0/12", "10.96.0.0/30"], [
    "",
    "10.0.0.0/11",
    "10.0.0.0/31",
    ...RANGE[1],
  ]],
  ["drain-seconds", ...WHOLE_SECONDS],
  ["impersonation", ["", "legacy", "constrained"], ["off", "Legacy"]],
  ["applications", ["on", "off"], ["", "true"]],
  ["state-dir", ["/var/lib/skerry", "state"], ["", "/a,/b"]],
  ["kubeconfig", ["", "in-cluster", "/etc/kubeconfig"], ["/a,/b"]],
];

const AGENT: readonly Case[] = [
  [
    "hub",
    ["", "hub.example.com:10000", "hub.:1", "10.0.0.1:65535", "[fd00::1]:10000"],
    [
      "hub",
      "hub:0",
      "hub:99999",
      "https://hub:10000",
      "fd00::1:10000",
      "[10.0.0.1]:1",
      "1.2.3:1",
      "a b:1",
    ],
  ],
  ["name", ["", "gateway-1", "gw.plant.example"], ["Gateway", "gw_1", "-gw", LONG, "gw 1"]],
  [
    "node-ip",
    ["", "192.0.2.7", "fd00::7", "127.0.0.1"],
    [
      "1.2.3",
      "192.0.2.7,fd00::7",
      "0.0.0.0",
      "::",
      "fe80::1%eth0",
      "::ffff:192.0.2.7",
      "gw1",
      "239.1.1.1",
    ],
  ],
  [
    "labels",
    ["hall=7", "example.com/hall=7", "hall=", "hall", "a=A_b.c-1"],
    [
      "",
      "=7",
      "a b=7",
      "hall=7 8",
      "Example.com/hall=7",
      "a/b/c=1",
      "hall=a=b",
      `${LONG}=1`,
      `a=${LONG}`,
      "hall=-",
    ],
  ],
  ["host-paths", ["/srv/x", "/"], ["", "srv/x", "./x", "/a,/b", "~/x"]],
  ["pod-cidr", RANGE[0], ["", ...RANGE[1]]],
  [
    "function-hosts",
    ["127.0.0.1", "localhost", "modules.example.com:8443", "[fd00::1]", "[fd00::1]:80"],
    ["", "fd00::1", "*.example.com", "https://modules.example.com", "host/path", "host:0", "a b"],
  ],
  ["shutdown-grace-period", ["10", "30", "86400"], WHOLE_SECONDS[1]],
  ["shutdown-grace-period-critical-pods", ["0", "30"], ["31", ...WHOLE_SECONDS[1]]],
  ["container-log-max-files", ["2", "10"], ["0", "1", "-1"]],
  ["cri-socket", ["none", "/run/containerd/containerd.sock"], ["", "/a,b"]],
  ["log-level", ["debug"], ["", "loud"]],
];

const RUNNER: readonly Case[] = [
  ["gateway-address", ...LISTEN],
  ["gateway-port", ["1", "65535"], ["0", "65536", "http"]],
];

const TABLES: readonly (readonly [string, OptionTable, readonly Case[]])[] = [
  ["hub", HUB_OPTIONS, HUB],
  ["agent", AGENT_OPTIONS, AGENT],
  ["runner", RUNNER_OPTIONS, RUNNER],
];

for (const [part, table, cases] of TABLES) {
  for (const [name, good, bad] of cases) {
    Deno.test(`the ${part} takes for --${name} what can work, and says what it wants for the rest`, () => {
      for (const text of good) {
        const value = parseOptions(table, [`--${name}=${text}`])[name];
        strictEqual(String(value), text);
        const again = formatOptions(table, { [name]: value ?? "" });
        strictEqual(String(parseOptions(table, again)[name]), text, "the part reads it as well");
      }
      for (const text of bad) {
        throws(() => parseOptions(table, [`--${name}=${text}`]), (error: Error) => {
          const value = /[\s"]|^$/.test(text) ? JSON.stringify(text) : text;
          const { message } = error;
          return isAppError(error, "BadRequest") && !message.includes("\n") &&
            message.startsWith(`Cannot read the options: --${name}: must `) &&
            message.endsWith(`: current value is ${value}`);
        }, `${name}=${text}`);
      }
    });
  }
}

Deno.test("every option with a form says what it wants with an example", () => {
  for (const [, table] of TABLES) {
    for (const [name, def] of Object.entries(table)) {
      if (!def.form) continue;
      const example = /such as ([^\s,]+)/.exec(def.form.wanted)?.[1] ?? "";
      strictEqual(def.form.takes(example), true, `--${name}: ${example}`);
      if (typeof def.fallback === "string" && def.fallback !== "") {
        strictEqual(def.form.takes(def.fallback), true, `--${name}: its own fallback`);
      }
    }
  }
});
