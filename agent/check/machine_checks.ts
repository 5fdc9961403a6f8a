import { AppError } from "../../core/base/mod.ts";
import { joinAdvice } from "../../core/join/mod.ts";
import { requireDisk, thresholdsMet } from "./disk.ts";
import type { Check } from "./check.ts";

const MIB = 2 ** 20;
/** No clock of a machine that runs this can be earlier. */
const NOT_BEFORE = Date.UTC(2026, 0, 1);
const DAY = 24 * 3600 * 1000;

/** Checks of what the agent keeps. */
export const STATE_CHECKS: readonly Check[] = [
  {
    name: "state",
    look: async (context) => await requireDisk("state-dir", context),
  },
  {
    name: "services",
    look({ services }) {
      const bad = services().filter(({ phase }) => phase === "backing-off" || phase === "failed");
      if (bad.length === 0) return "all parts of the agent run";
      const texts = bad.map(({ name, lastError, restarts }) =>
        `${name} fails (${restarts} times so far): ${lastError ?? "unknown"}`
      );
      throw new AppError("InternalError", `${texts.join("; ")}: see the agent's log`);
    },
  },
];

/** Checks of the machine. */
export const MACHINE_CHECKS: readonly Check[] = [
  {
    name: "memory",
    look({ memory, options }) {
      const { total, available } = memory();
      const text = `${Math.round(available / MIB)} of ${Math.round(total / MIB)} MiB are free`;
      const met = thresholdsMet(options, { "memory.available": { available, capacity: total } });
      if (met === "") return text;
      throw new AppError(
        "ServiceUnavailable",
        `${text}: the node evicts pods below ${met} bytes (--eviction-hard)`,
      );
    },
  },
  {
    name: "clock",
    look({ clock }) {
      const now = new Date(clock.now()).toISOString();
      if (clock.now() >= NOT_BEFORE) return `the clock says ${now}`;
      throw new AppError(
        "Invalid",
        `the clock says ${now}, which is past: certificates will not verify; set it, or install a ` +
          "time service (Debian: systemd-timesyncd)",
      );
    },
  },
  {
    name: "address",
    look({ machine, options }) {
      const address = options["node-ip"] || machine.addresses[0];
      if (address) return `the node's address is ${address}`;
      throw new AppError(
        "NotFound",
        "no interface but loopback has an address: connect the machine, or name one with --node-ip",
      );
    },
  },
  {
    name: "resolver",
    look() {
      const text = Deno.readTextFileSync("/etc/resolv.conf");
      const servers = text.split("\n").filter((line) => /^\s*nameserver\s+\S/.test(line)).length;
      if (servers > 0) return `/etc/resolv.conf names ${servers} of them`;
      throw new AppError(
        "NotFound",
        "/etc/resolv.conf names no nameserver: pods that use the node's resolver find no names",
      );
    },
  },
];

/** Checks of the runner. */
export const FUNCTION_CHECKS: readonly Check[] = [
  {
    name: "runner",
    look({ engine, options }) {
      const found = engine();
      if (found !== undefined) return `${found} runs functions`;
      throw new AppError(
        "ServiceUnavailable",
        `no runner answers on ${options["runner-socket"]}, so functions do not run: start it ` +
          "(systemctl start skerry-runner, or deno task runner)",
      );
    },
  },
];

/** Checks of the way to the hub. */
export const HUB_CHECKS: readonly Check[] = [
  {
    name: "link",
    when: ({ link }) => link !== undefined,
    look({ link, options: { hub }, node }) {
      const { connected, lastError, shutOut } = link?.() ?? { connected: false };
      if (connected) return `connected with ${hub}`;
      const why = lastError ? ` (${lastError})` : "";
      if (shutOut) {
        throw new AppError(
          "Forbidden",
          `${hub} has shut this node out${why}; pods go on, changes wait. To let it in again: ` +
            joinAdvice({ node, hub, reason: lastError }),
        );
      }
      throw new AppError(
        "ServiceUnavailable",
        `there is no link to ${hub}${why}; pods go on, changes wait: look whether this machine ` +
          "reaches that address and port; the agent's log says more",
      );
    },
  },
  {
    name: "certificate",
    when: ({ link }) => link !== undefined,
    look({ certificateEnds, clock, node, options: { hub } }) {
      const ends = certificateEnds();
      if (ends === undefined) {
        throw new AppError(
          "Unauthorized",
          `this node has not joined: ${joinAdvice({ node, hub })}`,
        );
      }
      const days = Math.floor((ends - clock.now()) / DAY);
      if (days >= 0) return `good for ${days} days; it is renewed over the link`;
      throw new AppError(
        "Unauthorized",
        `it ended ${-days} days ago. To join again: ${joinAdvice({ node, hub })}`,
      );
    },
  },
];
