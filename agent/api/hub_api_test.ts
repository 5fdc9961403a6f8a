import assert from "node:assert/strict";
import { systemClock } from "../../core/base/mod.ts";
import { countedWay, FakeApiServer } from "../../core/kube/testing.ts";
import { HubApi } from "./hub_api.ts";

Deno.test("send() uses a connection again, but none from before the link that there is now", async () => {
  await using server = await FakeApiServer.start(() =>
    Promise.resolve(new Response("", { headers: { "skerry-answered-by": "api-server" } }))
  );
  await using way = await countedWay(server);
  const { ca, admin } = server.pki;
  const credentials = { ca: ca.certificate, cert: admin.certificate, key: admin.key };
  let link = new AbortController().signal;
  using hub = new HubApi({
    hub: `127.0.0.1:${way.port}`,
    credentials: () => credentials,
    link: () => link,
    clock: systemClock,
  });
  const ask = async (): Promise<void> => {
    const request = new Request("https://localhost/api", {
      headers: { authorization: "Bearer x" },
    });
    await (await hub.send(request, new AbortController().signal)).text();
  };
  await ask();
  await ask();
  assert.equal(way.count(), 1);
  link = new AbortController().signal;
  await ask();
  assert.equal(way.count(), 2);
});
