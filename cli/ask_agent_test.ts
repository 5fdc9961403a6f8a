import assert from "node:assert/strict";
import { FakeApiServer, json, status } from "../core/kube/testing.ts";
import { kubeconfigText } from "../core/pki/mod.ts";
import { askAgent } from "./ask_agent.ts";

/** What `check` says with a kubeconfig of `server`, or of another address. */
async function asked(
  answer: (path: string) => Response,
  change: (server: string) => string = (server) => server,
): Promise<{ ok: boolean; message: string; path: string; names: string[] }> {
  await using api = await FakeApiServer.start((request) =>
    Promise.resolve(answer(new URL(request.url).pathname))
  );
  const folder = await Deno.makeTempDir();
  const path = `${folder}/kubeconfig`;
  try {
    const { ca, admin } = api.pki;
    const server = change(api.endpoint.server);
    const text = kubeconfigText({ ca, server, cluster: "c", credential: admin });
    await Deno.writeTextFile(path, text);
    const [first, ...rest] = await askAgent(path);
    assert.ok(first);
    assert.equal(first.name, "agent");
    return { ...first, path, names: rest.map(({ name }) => name) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const WHERE = /\.skerry\/agent\/api\/kubeconfig.*\/var\/lib\/skerry\/agent\/api\/kubeconfig/;

Deno.test("askAgent() gives what the agent found", async () => {
  const checks = [{ name: "disk", ok: true, message: "well" }];
  const { ok, names } = await asked(() => json({ checks }));
  assert.deepEqual([ok, names], [true, ["disk"]]);
});

Deno.test("askAgent() says that a kubeconfig is a cluster's, which it is to be, and where", async () => {
  const refusals = [
    // As a real API server answers a path that it does not know.
    () => new Response("404 page not found\n", { status: 404 }),
    () => status(404, "NotFound"),
    () => status(403, "Forbidden"),
  ];
  for (const refusal of refusals) {
    const { ok, message, path } = await asked((asks) =>
      asks === "/version" ? json({ gitVersion: "v1.36.3" }) : refusal()
    );
    assert.equal(ok, false);
    assert.doesNotMatch(message, /does not answer|systemctl/);
    assert.match(message, /is no agent's: .* a cluster or a hub, https:\/\/127.*\(v1\.36\.3\)/);
    assert.match(message, /check runs on the gateway/);
    assert.match(message, WHERE);
    assert.ok(message.endsWith(`skerry status --kubeconfig ${path}`));
  }
});

Deno.test("askAgent() knows by its address that an API is no agent's", async () => {
  const { ok, message } = await asked(
    () => json({}),
    // It answers there too, by a certificate of another name.
    (server) => server.replace("127.0.0.1", "0.0.0.0"),
  );
  assert.equal(ok, false);
  assert.match(message, /is no agent's: .*0\.0\.0\.0.* not on this machine/);
  assert.match(message, WHERE);
});

Deno.test("askAgent() says how to start an agent that does not answer, or has not run yet", async () => {
  const { message } = await asked(() => status(503, "ServiceUnavailable"));
  assert.match(message, /^does not answer: .*systemctl start skerry-agent/);
  assert.match(message, WHERE);
  const [none] = await askAgent("/nowhere/kubeconfig");
  assert.match(none?.message ?? "", /^cannot be asked: .*\/nowhere\/kubeconfig.*start the agent/);
  assert.doesNotMatch(none?.message ?? "", /hub first/);
  assert.match(none?.message ?? "", WHERE);
});
