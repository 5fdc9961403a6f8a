/**
 * The nodes process of `bench/hub_scale.ts`: hollow nodes, each over mTLS with a certificate of its
 * own. Commands on standard input, answered by a line of JSON each:
 * `connected` (how many links are up), `seen` (when pods were first seen, by UID; then forgotten).
 */
import { type NodeName, silentLogger, systemClock, systemRandom } from "../core/base/mod.ts";
import { KubeClient, readEndpoint, RemoteStore } from "../core/kube/mod.ts";
import { createCsr, createKey, nodeSubject, readCsr } from "../core/pki/mod.ts";
import { readCa } from "../core/tokens/mod.ts";
import { Identities } from "../cloud/join/mod.ts";
import { HollowNode } from "../tests/kube/hollow_node.ts";
import { lines, print } from "./link_lib.ts";

const [kubeconfig = "", hub = "", count = "1"] = Deno.args;
const clock = systemClock;
const random = systemRandom;
using client = new KubeClient({ endpoint: await readEndpoint(kubeconfig), clock, random });
const store = new RemoteStore({ client, clock, random });
const ca = await readCa(store);
const identities = new Identities({ store, clock, ca, log: silentLogger });
const seen = new Map<string, number>();
const nodes: HollowNode[] = [];

/** As a join leaves it, without the token. */
async function enroll(name: NodeName): Promise<{ certificate: string; key: string }> {
  const key = await createKey();
  const request = await readCsr(await createCsr({ subject: nodeSubject(name), keyPem: key }));
  const certificate = await identities.sign(name, request);
  const { keyId } = request;
  await identities.admit(name, { certificate, keyId, token: "bench" }, () => {});
  return { certificate, key };
}

for (let i = 0; i < Number(count); i++) {
  const name = `hollow-${i}` as NodeName;
  const { certificate, key } = await enroll(name);
  nodes.push(HollowNode.start({
    name,
    hub,
    identity: { node: name, ca: ca.certificate, certificate, key },
    onPod: ({ metadata }) => {
      seen.set(metadata.uid ?? "", performance.timeOrigin + performance.now());
    },
  }));
}
print({ started: nodes.length });

for await (const line of lines(Deno.stdin.readable)) {
  if (line === "connected") print(nodes.filter(({ connected }) => connected).length);
  else if (line === "seen") {
    print([...seen]);
    seen.clear();
  } else print({});
}
