import type { Socket } from "node:net";
import type { Clock, Ms } from "../base/mod.ts";
import { PerAddress } from "./per_address.ts";

/** How many connections clients may hold that have proved nothing, and for how long. */
export interface StrangerLimits {
  /** At once. */
  readonly most: number;
  /** At once from one address; many gateways may stand behind one. */
  readonly perAddress: number;
  /** From TLS on: whatever was asked for is answered by then. */
  readonly life: Ms;
}

/**
 * The connections of clients without a certificate. Each costs the memory of TLS and of a request that
 * may never end, and anybody can open them: they get a share of their own, and a short time.
 */
export class Strangers {
  readonly #limits: StrangerLimits;
  readonly #clock: Clock;
  readonly #perAddress = new PerAddress();
  #count = 0;

  constructor(limits: StrangerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Takes a connection in, or ends it at once when there are too many. */
  arrive(socket: Pick<Socket, "destroy" | "once">, remote: string): void {
    const { most, perAddress, life } = this.#limits;
    if (this.#count >= most || this.#perAddress.of(remote) >= perAddress) {
      return void socket.destroy();
    }
    this.#count++;
    this.#perAddress.add(socket, remote);
    const timer = this.#clock.timer(life, () => void socket.destroy());
    socket.once("close", () => {
      timer[Symbol.dispose]();
      this.#count--;
    });
  }
}
