import { act } from "./actions.ts";
import { checkOutbox, differences } from "./checks.ts";
import type { Mutant } from "./taps.ts";
import { InvariantBroken, World } from "./world.ts";

/** What one simulated life came to. */
export interface Outcome {
  /** Set when an invariant broke. */
  readonly broken: InvariantBroken | undefined;
  /** What happened, one line each; the same seed gives the same lines. */
  readonly events: readonly string[];
  /** Virtual milliseconds from the end of the faults until all agreed. */
  readonly convergedAfter: number | undefined;
}

/** Options of {@linkcode runSeed}. */
export interface RunOptions {
  readonly steps?: number;
  readonly nodes?: number;
  readonly mutant?: Mutant;
}

const STEP = 400;
/** All must agree within this time after the faults: the longest waits are 60 s each. */
const PATIENCE = 300_000;

/** Lives through `steps` random things, lets the faults stop, and checks that all is well. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<Outcome> {
  const { steps = 120, nodes = 3, mutant } = options;
  const world = new World({ seed, nodes, hubs: 2, ...(mutant ? { mutant } : {}) });
  const loseAt = seed % 5 === 0 ? Math.floor(world.random() * steps) : -1;
  let convergedAfter: number | undefined;
  try {
    for (let step = 0; step < steps; step++) {
      if (step === loseAt) world.loseHubs();
      await act(world);
      await world.clock.advance(world.random() * STEP);
      for (const node of world.nodes) node.work(world.random() < 0.3);
      for (const node of world.nodes) checkOutbox(world, node);
      if (world.broken) throw world.broken;
    }
    convergedAfter = await converge(world);
  } catch (error) {
    if (!(error instanceof InvariantBroken)) throw error;
  } finally {
    await world.dispose();
  }
  const { broken, events } = world;
  return { broken, events, convergedAfter };
}

async function converge(world: World): Promise<number> {
  world.trace("faults stop");
  world.faults = false;
  for (const node of world.nodes) world.network.refuse(node.name, false);
  const start = world.clock.monotonic();
  let different: string[] = [];
  while (world.clock.monotonic() - start < PATIENCE) {
    await world.clock.advance(2000);
    for (const node of world.nodes) node.work(false);
    await world.clock.advance(500);
    if (world.broken) throw world.broken;
    different = differences(world);
    if (different.length === 0) return world.clock.monotonic() - start;
  }
  world.fail(`no agreement ${PATIENCE / 1000} s after the faults: ${different.join("; ")}`);
  throw world.broken;
}
