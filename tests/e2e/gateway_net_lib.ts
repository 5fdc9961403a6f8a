/** A small network of its own for end-to-end tests: a bridge here, and namespaces behind it. */
import { mustRun, runCommand } from "../../tools/containerd/machine.ts";

/** A gateway's network namespace. */
export interface Place {
  /** Name of the namespace. */
  readonly netns: string;
  readonly address: string;
  /**
   * Cuts the gateway off or mends it. Its interface stays up and nothing is told: packets vanish, as
   * behind a dead radio link.
   */
  cut(on: boolean): Promise<void>;
}

/** The network. Disposing it removes bridge and namespaces. */
export class TestNetwork implements AsyncDisposable {
  /** Address of this machine in the network. */
  readonly address: string;
  readonly #bridge: string;
  readonly #index: number;
  readonly #namespaces: string[] = [];

  private constructor(index: number) {
    this.#index = index;
    this.#bridge = `skg${index}`;
    this.address = `10.197.${index}.1`;
  }

  /** Makes the bridge; making it is the lock by which several tests get different ones. */
  static async open(): Promise<TestNetwork> {
    let last = "";
    for (let index = 0; index < 200; index++) {
      const network = new TestNetwork(index);
      const bridge = network.#bridge;
      const made = await runCommand("ip", ["link", "add", "name", bridge, "type", "bridge"]);
      last = made.stderr;
      if (!made.success && /exists/i.test(last)) continue;
      if (!made.success) break;
      try {
        await mustRun("ip", ["addr", "add", `${network.address}/24`, "dev", bridge]);
        await mustRun("ip", ["link", "set", bridge, "up"]);
        return network;
      } catch (error) {
        await network[Symbol.asyncDispose]();
        throw error;
      }
    }
    throw new Error(`Cannot make a bridge: ${last}`);
  }

  /**
   * Adds a namespace behind the bridge. It reaches this machine and nothing else; looking up a
   * name is never answered there.
   */
  async add(): Promise<Place> {
    const number = this.#namespaces.length + 1;
    const netns = `${this.#bridge}-${number}`;
    const [outer, inner] = [`${netns}o`, `${netns}i`];
    const address = `10.197.${this.#index}.${number + 1}`;
    await mustRun("ip", ["netns", "add", netns]);
    this.#namespaces.push(netns);
    const peer = ["peer", "name", inner, "netns", netns];
    await mustRun("ip", ["link", "add", "name", outer, "type", "veth", ...peer]);
    await mustRun("ip", ["link", "set", outer, "master", this.#bridge, "up"]);
    const inside = ["-n", netns];
    await mustRun("ip", [...inside, "addr", "add", `${address}/24`, "dev", inner]);
    await mustRun("ip", [...inside, "link", "set", "lo", "up"]);
    await mustRun("ip", [...inside, "link", "set", inner, "up"]);
    // A router that takes everything and answers nothing: what leaves for elsewhere, such as the
    // lookup of a name, meets silence, as on a gateway whose uplink is gone.
    const deaf = `10.197.${this.#index}.254`;
    const nowhere = ["lladdr", "02:00:00:00:00:fe", "nud", "permanent"];
    await mustRun("ip", [...inside, "neigh", "add", deaf, ...nowhere, "dev", inner]);
    await mustRun("ip", [...inside, "route", "add", "default", "via", deaf]);
    // A disabled port takes and gives nothing (0); 3 is forwarding.
    const state = (on: boolean): string[] => ["state", on ? "0" : "3"];
    return {
      netns,
      address,
      cut: async (on) => void await mustRun("bridge", ["link", "set", "dev", outer, ...state(on)]),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const netns of this.#namespaces) {
      // The kernel takes its time with a namespace; the next test may want the name before that.
      await runCommand("ip", ["link", "delete", `${netns}o`]);
      await mustRun("ip", ["netns", "delete", netns]);
    }
    await mustRun("ip", ["link", "delete", this.#bridge]);
  }
}
