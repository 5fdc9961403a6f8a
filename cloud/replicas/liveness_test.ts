import assert from "node:assert/strict";
import type { Lease } from "../../core/api/mod.ts";
import { type Ms, ms, seconds, toMicroTime, VirtualClock } from "../../core/base/mod.ts";
import { Liveness } from "./liveness.ts";

const lease = (name: string, renewed: number): Lease => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name },
  spec: { holderIdentity: name, renewTime: toMicroTime(ms(renewed)) },
});

Deno.test("Liveness goes by the Lease's own time at first sight only", async () => {
  const clock = new VirtualClock();
  const liveness = new Liveness(clock, seconds(40));
  const [fresh, old, ahead] = [
    lease("fresh", clock.now() - 5000),
    lease("old", clock.now() - 60_000),
    lease("ahead", clock.now() + 3_600_000),
  ];
  liveness.see([fresh, old, ahead]);
  assert.deepEqual([fresh, old, ahead].map((one) => liveness.isAlive(one)), [true, false, true]);
  await clock.advance(seconds(41));
  liveness.see([fresh, old, ahead]);
  assert.deepEqual([fresh, old, ahead].map((one) => liveness.isAlive(one)), [false, false, false]);
  assert.equal(liveness.isForgotten(old), false);
  await clock.advance(seconds(80));
  assert.equal(liveness.isForgotten(old), true);
});

for (const skew of [-150_000, 150_000]) {
  Deno.test(`Liveness takes a replica whose clock is ${skew / 1000} s ahead for alive while it renews, and says so once`, async () => {
    const clock = new VirtualClock();
    const liveness = new Liveness(clock, seconds(40));
    const told: Ms[] = [];
    const renew = (): Lease => {
      const one = lease("other", clock.now() + skew);
      told.push(...liveness.see([one]).map(({ ahead }) => ahead));
      return one;
    };
    renew();
    for (let i = 0; i < 20; i++) {
      await clock.advance(seconds(10));
      const one = renew();
      assert.equal(liveness.isAlive(one), true);
      assert.equal(liveness.isForgotten(one), false);
    }
    assert.deepEqual(told, [skew]);
    const last = lease("other", clock.now() + skew);
    liveness.see([last]);
    await clock.advance(seconds(41));
    liveness.see([last]);
    assert.equal(liveness.isAlive(last), false);
  });
}
