import assert from "node:assert/strict";
import { type Outcome, runSeed } from "./run.ts";
import type { Mutant } from "./taps.ts";

const ONE = Deno.env.get("SEED");
const FIRST = ONE === undefined ? 1 : Number(ONE);
const COUNT = ONE === undefined ? Number(Deno.env.get("SEEDS") ?? 200) : 1;

function story(seed: number, { broken, events }: Outcome): string {
  return [
    `seed ${seed}: ${broken?.message}`,
    ...events.slice(-60),
    `replay: SEED=${seed} deno test -A tests/sim`,
  ].join("\n");
}

Deno.test(`hub and agents keep their promises in ${COUNT} simulated lives`, async () => {
  for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
    const outcome = await runSeed(seed);
    assert.ok(!outcome.broken, story(seed, outcome));
    assert.ok(outcome.convergedAfter !== undefined);
  }
});

Deno.test("runSeed() lives the same life again when it gets the same seed", async () => {
  const [first, second, other] = [await runSeed(7), await runSeed(7), await runSeed(8)];
  assert.deepEqual(first, second);
  assert.notDeepEqual(first.events, other.events);
});

const MUTANTS: readonly Mutant[] = [
  "ack-before-commit",
  "prune-on-snap",
  "result-before-commit",
  "outbox-ignores-seq",
  "believes-absence",
  "believes-empty-state",
];

for (const mutant of MUTANTS) {
  Deno.test(`the simulation notices a defect: ${mutant}`, async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { broken } = await runSeed(seed, { mutant });
      if (broken) return;
    }
    assert.fail(`60 lives with the defect ${mutant} broke nothing: the simulation is blind to it`);
  });
}
