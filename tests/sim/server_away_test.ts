import assert from "node:assert/strict";
import type { LinkState } from "../../agent/link/mod.ts";
import { Rig } from "./rig.ts";

Deno.test("nodes are told when the API server of their hub goes away and when it is back, in a new session too", async () => {
  let away = false;
  await using rig = new Rig({ serverAway: () => away });
  await rig.startHub();
  const states: string[] = [];
  const onState = ({ connected, serverAway }: LinkState): void =>
    void states.push(!connected ? "no link" : serverAway ? "away" : "there");
  const n1 = rig.node("n1", { onState });
  await rig.pass(1);
  const { since } = n1.link.state;
  const becomes = async (next: boolean): Promise<void> => {
    away = next;
    rig.hub.tellServer();
    await rig.pass(1);
  };
  await becomes(true);
  await becomes(true);
  assert.equal(n1.link.state.since, since, "the link has not changed");
  await rig.stopHub();
  // At once, with the welcome: pods' watches would end twice otherwise.
  await rig.startHub();
  await rig.pass(5);
  await becomes(false);
  assert.deepEqual(states.filter((state, at) => state !== states[at - 1]), [
    ...["there", "away", "no link", "away", "there"],
  ]);
});

Deno.test("a change while a node is being welcomed is told, and none to a node that does not know of it", async () => {
  let asked = 0;
  // It changes when the welcome has been written, and before the session is up.
  await using rig = new Rig({ serverAway: () => asked++ > 0 });
  await rig.startHub();
  for (const features of [["server"], []]) {
    asked = 0;
    const dialling = rig.network.dialer({ name: "n1", fingerprint: "f", remote: "test" })
      .dial("/v1/link", new AbortController().signal);
    await rig.pass(0.1);
    const connection = await dialling;
    await connection.send(
      JSON.stringify({ t: "hello", protocol: 1, agent: "a", bootId: "b", features }),
    );
    const told: { t: string }[] = [];
    const reading = (async () => {
      for (let frame; (frame = await connection.receive()) !== undefined;) {
        told.push(JSON.parse(frame as string));
      }
    })();
    await rig.pass(1);
    connection.close(1000, "done");
    await rig.pass(0.1);
    await reading;
    const [welcome, ...others] = told.filter(({ t }) => ["welcome", "server"].includes(t));
    assert.deepEqual([welcome?.t, welcome && "serverAway" in welcome], ["welcome", false]);
    assert.deepEqual(others, features.length > 0 ? [{ t: "server", away: true }] : []);
  }
});
