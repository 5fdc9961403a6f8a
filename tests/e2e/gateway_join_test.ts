import assert from "node:assert/strict";
import { openClient } from "../../cli/client.ts";
import { systemClock } from "../../core/base/mod.ts";
import { issue, makePki } from "../../core/http/testing.ts";
import { createWsDialer } from "../../core/link/mod.ts";
import { lacks } from "../../tools/test/needs.ts";
import { type AgentOptions, type HubAt, nodeReady, Site, stepsOf } from "./gateway_lib.ts";
import { type Running, until } from "./gateway_process_lib.ts";

const missing = lacks("kubectl");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const NODE = "gw-join";

/** Exit codes of the parts (core/parts): they are API. */
const NEEDS_JOIN = 77;

/** Starts an agent that must give up, and checks how. */
async function givesUp(
  site: Site,
  name: string,
  options: AgentOptions,
  code: number,
  why: RegExp,
): Promise<void> {
  const process: Running = site.startAgent(name, options);
  await process.prints(why);
  assert.equal(await process.exit(30), code, process.output);
}

/** Changes the record in a token's Secret, to let time pass. */
async function expire(hub: HubAt, token: string): Promise<void> {
  using api = await openClient(hub.kubeconfig);
  const id = token.split(".")[2] ?? "";
  const path = `/api/v1/namespaces/skerry-system/secrets`;
  const { items } = await api.request("GET", path);
  const secret = items.find(({ metadata }: { metadata: { name: string } }) =>
    metadata.name.endsWith(id)
  );
  const record = JSON.parse(atob(secret.data.record));
  const data = { record: btoa(JSON.stringify({ ...record, expiresAt: 0 })) };
  await api.request("PUT", `${path}/${secret.metadata.name}`, { ...secret, data });
}

Deno.test({
  name: `joining: tokens, taken names, deleted nodes${skipped}`,
  ignore: missing !== undefined,
  fn: (t) =>
    Site.run(async (site) => {
      const step = stepsOf(t);
      const hub = await site.hub();
      const api = await site.client(hub.kubeconfig);
      const address = `127.0.0.1:${hub.nodePort}`;

      await step("without a token the agent says what to do and ends with 77", async () => {
        await givesUp(site, NODE, { hub: address }, NEEDS_JOIN, /skerry token create/);
      });

      await step("unknown, revoked, expired and foreign tokens end it with 77", async () => {
        const good = await site.token(hub, NODE);
        const [scheme, ca, id] = good.split(".");
        const unknown = `${scheme}.${ca}.${id}.${"A".repeat(43)}`;
        await givesUp(site, NODE, { hub: address, token: unknown }, NEEDS_JOIN, /not known/);
        const wrongCa = good.replace(ca ?? "", "0".repeat(64));
        await givesUp(site, NODE, { hub: address, token: wrongCa }, NEEDS_JOIN, /another hash/);
        await givesUp(site, "gw-else", { hub: address, token: good }, NEEDS_JOIN, /is for node/);
        await site.skerry(hub, ["token", "revoke", id ?? ""]);
        await givesUp(site, NODE, { hub: address, token: good }, NEEDS_JOIN, /was revoked/);
        const late = await site.token(hub, NODE);
        await expire(hub, late);
        await givesUp(site, NODE, { hub: address, token: late }, NEEDS_JOIN, /has expired/);
        const list = await site.skerry(hub, ["token", "list"]);
        assert.match(list, /revoked/);
        assert.match(list, /expired/);
        assert.doesNotMatch(list, new RegExp(good.split(".")[3] ?? "-"));
      });

      await step("a token for a file that cannot be is not made", async () => {
        const before = await site.skerry(hub, ["token", "list"]);
        const out = `${site.folder}/no-such-folder/token`;
        await assert.rejects(
          site.token(hub, NODE, [`--out=${out}`]),
          /there is no folder .*no-such-folder: make it .*; no token was made/,
        );
        assert.equal(await site.skerry(hub, ["token", "list"]), before);
        await site.token(hub, NODE, [`--out=${site.folder}/token`]);
        assert.match(await Deno.readTextFile(`${site.folder}/token`), /^skerry1\.\S+\n$/);
      });

      const token = await site.token(hub, NODE);
      const first = await site.agent(NODE, { hub: address, token });
      await until("node Ready", async () => await nodeReady(api, NODE) === "True");

      await step(
        "a used token and a taken name are refused; nothing happens to the node",
        async () => {
          const other = `${site.folder}/other`;
          const flags = [`--name=${NODE}`, `--state-dir=${other}`];
          const options = { hub: address, flags };
          await givesUp(site, "other", { ...options, token }, NEEDS_JOIN, /was used already/);
          const second = await site.token(hub, NODE);
          await givesUp(
            site,
            "other",
            { ...options, token: second },
            NEEDS_JOIN,
            /another key.*--replace/,
          );
          assert.equal(await site.linked(hub, NODE), true);
        },
      );

      await step("kubectl delete node shuts the node out until it joins again", async () => {
        const uid = (await api.request("GET", `/api/v1/nodes/${NODE}`)).metadata.uid;
        await site.kubectl(hub.kubeconfig, ["delete", "node", NODE]);
        await first.process.prints(/4403/);
        const nodes = await site.kubectl(hub.kubeconfig, ["get", "nodes", "-o", "name"]);
        assert.equal(nodes, "");
        await first.process.kill();
        const fresh = await site.token(hub, NODE);
        await site.agent(NODE, { hub: address, token: fresh });
        await until("node Ready", async () => await nodeReady(api, NODE) === "True");
        const now = (await api.request("GET", `/api/v1/nodes/${NODE}`)).metadata.uid;
        assert.notEqual(now, uid);
      });

      await step("a token with the right to replace takes the name over", async () => {
        const replace = await site.token(hub, NODE, ["--replace"]);
        const flags = [`--name=${NODE}`, `--state-dir=${site.folder}/new/agent`];
        const before = site.processes.at(-1);
        const taker = await site.agent("new", { hub: address, token: replace, flags });
        await before?.prints(/4403/);
        await taker.process.prints(/link is up/);
        await until("the link is up", () => site.linked(hub, NODE));
      });
    }),
});

Deno.test("the node port refuses whoever has no certificate of its CA, and bodies too large", () =>
  Site.run(async (site) => {
    const hub = await site.hub();
    using api = await openClient(hub.kubeconfig);
    const path = "/api/v1/namespaces/skerry-system/secrets/skerry-ca";
    const ca = atob((await api.request("GET", path)).data["tls.crt"]);
    const base = `https://127.0.0.1:${hub.nodePort}`;
    {
      using bare = Deno.createHttpClient({ caCerts: [ca] });
      for (const path of ["/v1/link", "/v1/stream/abc", "/api/v1/nodes", "/"]) {
        const response = await fetch(`${base}${path}`, { client: bare });
        assert.equal(response.status, 401, path);
        assert.equal((await response.json()).kind, "Status");
      }
      const body = JSON.stringify({ token: "x".repeat(100_000) });
      const headers = { "content-type": "application/json" };
      const large = await fetch(`${base}/join`, { client: bare, method: "POST", headers, body });
      assert.equal(large.status, 413);
      assert.match((await large.json()).message, /\d/);
      const deep = { client: bare, method: "POST", headers, body: "[".repeat(30_000) };
      const answer = await fetch(`${base}/join`, deep);
      assert.equal(answer.status, 400);
      await answer.body?.cancel();
    }
    const foreign = await makePki();
    const subject = { commonName: `system:node:${NODE}`, organizations: ["system:nodes"] };
    const { certificate, key } = await issue(foreign.ca, subject, "client");
    const dialer = createWsDialer({
      hub: `127.0.0.1:${hub.nodePort}`,
      credentials: () => ({ ca, cert: certificate, key }),
      clock: systemClock,
    });
    await assert.rejects(dialer.dial("/v1/link", new AbortController().signal));
    assert.doesNotMatch(hub.process.output, /session up/);
  }));
