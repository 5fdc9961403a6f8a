import assert from "node:assert/strict";
import type { Pod } from "../../core/api/mod.ts";
import { RESOURCES } from "../../core/api/mod.ts";
import { minutes, type Ms, ms, systemClock } from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { tokenSources, writeToken } from "./pod_tokens.ts";
import { TEST_NODE, testPod } from "./testing/bench.ts";
import { accountTokens, tokenOwner } from "./token_owner.ts";

const VOLUMES = [{
  name: "kube-api-access",
  projected: {
    sources: [
      { serviceAccountToken: { path: "token", expirationSeconds: 3607 } },
      { serviceAccountToken: { path: "vault", audience: "vault" } },
    ],
  },
}];

/** A token as an API server makes it; nobody here can check its signature. */
function tokenOf(pod: Pod, id: string): string {
  const claims = {
    "kubernetes.io": {
      namespace: pod.metadata.namespace,
      pod: { name: pod.metadata.name, uid: pod.metadata.uid },
      serviceaccount: { name: "robot", uid: "sa-1" },
    },
    "jti": id,
  };
  const part = (value: unknown): string =>
    new TextEncoder().encode(JSON.stringify(value)).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
  return `${part({ alg: "RS256" })}.${part(claims)}.${part("signature")}`;
}

function rig() {
  const store = openSqliteStore({ path: ":memory:", clock: systemClock });
  const put = (name: string, spec: Record<string, unknown> = {}): Pod => {
    const pod = testPod(name, { volumes: VOLUMES, serviceAccountName: "robot", ...spec });
    return store.transact((tx) => tx.put(RESOURCES.pods, pod)) as Pod;
  };
  const keep = (pod: Pod, token: string, at: number, index = 0): void => {
    const source = tokenSources(pod)[index];
    assert.ok(source);
    const expiresAt = (at + minutes(60)) as Ms;
    writeToken(store, pod, source, { token, issuedAt: ms(at), expiresAt });
  };
  const who = (token: string, now = 0, linked = true) =>
    tokenOwner(store, token, { node: TEST_NODE, now: ms(now), linked });
  return { store, put, keep, who, [Symbol.dispose]: () => store[Symbol.dispose]() };
}

Deno.test("tokenOwner() knows the token that this node fetched for a pod, and names its holder as Kubernetes does", () => {
  using at = rig();
  const pod = at.put("web");
  const token = tokenOf(pod, "1");
  assert.equal(at.who(token), undefined);
  at.keep(pod, token, 0);
  const owner = at.who(token);
  assert.deepEqual(owner?.account, { namespace: "default", name: "robot" });
  assert.deepEqual(owner?.user, {
    name: "system:serviceaccount:default:robot",
    uid: "sa-1",
    groups: ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
    extra: {
      "authentication.kubernetes.io/pod-name": ["web"],
      "authentication.kubernetes.io/pod-uid": [pod.metadata.uid],
    },
  });
});

Deno.test("tokenOwner() refuses what is altered, for others, of another node or of a pod that is gone", () => {
  using at = rig();
  const pod = at.put("web");
  const token = tokenOf(pod, "1");
  at.keep(pod, token, 0);
  at.keep(pod, tokenOf(pod, "vault"), 0, 1);
  for (const bad of ["", "x", "a.b.c", `${token}x`, token.slice(0, -1), tokenOf(pod, "2")]) {
    assert.equal(at.who(bad), undefined, bad);
  }
  assert.equal(at.who(tokenOf(pod, "vault")), undefined, "it is for another audience");
  const elsewhere = at.put("far", { nodeName: "n2" });
  at.keep(elsewhere, tokenOf(elsewhere, "1"), 0);
  assert.equal(at.who(tokenOf(elsewhere, "1")), undefined);
  const { name } = pod.metadata;
  const ref = { resource: RESOURCES.pods, namespace: "default", name };
  at.store.transact((tx) =>
    tx.put(RESOURCES.pods, { ...pod, metadata: { ...pod.metadata, uid: "u2" } })
  );
  assert.equal(at.who(token), undefined, "another pod has its name");
  at.store.transact((tx) => tx.purge(ref));
  assert.equal(at.who(token), undefined, "the pod is gone");
});

Deno.test("tokenOwner() takes the former token to its end, and an expired one while it cannot be renewed", () => {
  using at = rig();
  const pod = at.put("web");
  const [old, fresh] = [tokenOf(pod, "1"), tokenOf(pod, "2")];
  at.keep(pod, old, 0);
  assert.ok(at.who(old, minutes(59)));
  assert.equal(at.who(old, minutes(61)), undefined);
  assert.ok(at.who(old, minutes(61), false), "the hub is away");
  at.keep(pod, fresh, minutes(48));
  assert.ok(at.who(old, minutes(59)));
  assert.ok(at.who(fresh, minutes(59)));
  assert.equal(at.who(old, minutes(61), false), undefined);
  assert.ok(at.who(fresh, minutes(61)));
});

Deno.test("accountTokens() names each account of the node's pods once, with its newest token", () => {
  using at = rig();
  const [one, two] = [at.put("one"), at.put("two")];
  const far = at.put("far", { nodeName: "n2" });
  at.put("bare", { volumes: [] });
  at.keep(one, tokenOf(one, "1"), 1);
  at.keep(two, tokenOf(two, "1"), 2);
  at.keep(far, tokenOf(far, "1"), 3);
  assert.deepEqual(
    accountTokens(at.store, TEST_NODE).map(({ account, token }) => [account.name, token]),
    [["robot", tokenOf(two, "1")]],
  );
});
