import assert from "node:assert/strict";
import { Proofs } from "./proofs.ts";

Deno.test("Proofs hold for their epoch and version, and with the same secret only", () => {
  const proofs = new Proofs("a key");
  const proof = proofs.of("e1", "17");
  assert.match(proof, /^[\w-]{22}$/);
  assert.ok(proofs.holds("e1", "17", proof));
  assert.ok(new Proofs("a key").holds("e1", "17", proof));
  assert.ok(!new Proofs("another key").holds("e1", "17", proof));
  for (
    const [epoch, version] of [["e1", "18"], ["e2", "17"], ["e11", "7"], ["e", "117"]] as const
  ) {
    assert.ok(!proofs.holds(epoch, version, proof), `${epoch} ${version}`);
  }
  for (const forged of ["", proof.slice(1), `${proof}A`, proof.toLowerCase(), "é".repeat(11)]) {
    assert.ok(!proofs.holds("e1", "17", forged), forged);
  }
});
