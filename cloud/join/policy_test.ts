import assert from "node:assert/strict";
import fc from "fast-check";
import type { Ms } from "../../core/base/mod.ts";
import { decideJoin, decideNodeStep, matchesName, type NodeSight } from "./policy.ts";
import type { IdentityRecord, TokenRecord } from "../../core/tokens/mod.ts";

const NOW = 1_000_000 as Ms;
const TOKEN: TokenRecord = {
  id: "abcdefghij",
  hash: "0".repeat(64),
  node: "gw-1",
  createdAt: 0,
  expiresAt: NOW + 1000,
  uses: 1,
  replace: false,
  revoked: false,
  joins: [],
};
const IDENTITY: IdentityRecord = {
  node: "gw-1",
  keyId: "key-1",
  current: "cert-1",
  joinedAt: NOW - 100,
  token: "other",
};
const USED = [{ node: "gw-1", keyId: "key-1", at: NOW - 100 }];
const ASK = { node: "gw-1", keyId: "key-1", replace: false };

/** A Node that no hub made. */
const OTHERS: NodeSight = { uid: "u1", ours: false };

const CASES: {
  name: string;
  token?: Partial<TokenRecord>;
  identity?: Partial<IdentityRecord>;
  ask?: Partial<typeof ASK>;
  node?: NodeSight;
  want: string;
}[] = [
  { name: "a fresh token for a free name", want: "allow, reserve" },
  { name: "a revoked token", token: { revoked: true }, want: "Unauthorized" },
  { name: "an expired token", token: { expiresAt: NOW }, want: "Unauthorized" },
  { name: "a token for another node", token: { node: "gw-2" }, want: "Forbidden" },
  { name: "a pattern that fits", token: { node: "gw-*" }, want: "allow, reserve" },
  { name: "a pattern that does not fit", token: { node: "site-*" }, want: "Forbidden" },
  {
    name: "a pattern for the name of somebody else's Node",
    token: { node: "*" },
    node: OTHERS,
    want: "AlreadyExists",
  },
  {
    name: "a pattern with the right to replace for the name of somebody else's Node",
    token: { node: "*", replace: true },
    ask: { replace: true },
    node: OTHERS,
    want: "AlreadyExists",
  },
  { name: "a token of the name of somebody else's Node", node: OTHERS, want: "AlreadyExists" },
  {
    name: "a token of that name with the right to replace",
    token: { replace: true },
    node: OTHERS,
    want: "allow, reserve, takes u1",
  },
  {
    name: "a joined gateway under whose name somebody else's Node appeared",
    identity: { nodeUid: "u0" },
    node: OTHERS,
    want: "AlreadyExists",
  },
  {
    name: "a gateway that took its Node over",
    token: { node: "*" },
    identity: { nodeUid: "u1" },
    node: OTHERS,
    want: "allow, reserve",
  },
  {
    name: "a gateway whose identity was removed and whose Node is there",
    token: { node: "*" },
    node: { uid: "u1", ours: true },
    want: "allow, reserve",
  },
  {
    name: "a used token and another key",
    token: { joins: USED },
    identity: {},
    ask: { keyId: "key-2" },
    want: "Unauthorized",
  },
  {
    name: "a used token and the same key",
    token: { joins: USED },
    identity: {},
    want: "allow",
  },
  {
    name: "a used token, same key, after a crash before the identity was written",
    token: { joins: USED },
    want: "allow",
  },
  {
    name: "a used token, same key, of a node that was shut out since",
    token: { joins: USED },
    identity: { revoked: { at: NOW - 50, reason: "the node was deleted" } },
    want: "Unauthorized",
  },
  {
    name: "a used token, same key, after another key took the name",
    token: { joins: USED, replace: true },
    identity: { keyId: "key-2", joinedAt: NOW - 50 },
    want: "Unauthorized",
  },
  {
    name: "a used token, same key, whose take-over was not finished",
    token: { joins: USED, replace: true },
    identity: { keyId: "key-0", joinedAt: NOW - 500 },
    want: "allow",
  },
  {
    name: "a used token for many and a second node",
    token: { joins: USED, uses: 2, node: "gw-*" },
    ask: { node: "gw-2", keyId: "key-2" },
    want: "allow, reserve",
  },
  {
    name: "a taken name",
    identity: {},
    ask: { keyId: "key-2" },
    want: "AlreadyExists",
  },
  {
    name: "a taken name and only the request asks to replace",
    identity: {},
    ask: { keyId: "key-2", replace: true },
    want: "AlreadyExists",
  },
  {
    name: "a taken name and a token for this node with the right to replace",
    token: { replace: true },
    identity: {},
    ask: { keyId: "key-2" },
    want: "allow, reserve",
  },
  {
    name: "a taken name and a token for many with the right, request silent",
    token: { replace: true, node: "gw-*" },
    identity: {},
    ask: { keyId: "key-2" },
    want: "AlreadyExists",
  },
  {
    name: "a taken name, a token for many with the right, request asks",
    token: { replace: true, node: "gw-*" },
    identity: {},
    ask: { keyId: "key-2", replace: true },
    want: "allow, reserve",
  },
  {
    name: "a name that was shut out",
    identity: { revoked: { at: NOW - 1, reason: "the node was deleted" } },
    ask: { keyId: "key-2" },
    want: "allow, reserve",
  },
];

for (const { name, token, identity, ask, node, want } of CASES) {
  Deno.test(`decideJoin() says "${want}" to ${name}`, () => {
    const verdict = decideJoin({
      token: { ...TOKEN, ...token },
      identity: identity && { ...IDENTITY, ...identity },
      ask: { ...ASK, ...ask },
      node,
      now: NOW,
    });
    const { takes, reserve } = { takes: undefined, reserve: false, ...verdict };
    const words = ["allow", ...(reserve ? ["reserve"] : []), ...(takes ? [`takes ${takes}`] : [])];
    const got = verdict.allow ? words.join(", ") : verdict.code;
    assert.equal(got, want);
  });
}

Deno.test("matchesName() agrees with a regular expression", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 12 });
  const name = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 });
  fc.assert(fc.property(text, name, (pattern, name) => {
    const source = pattern.replaceAll("*", ".*").replaceAll("?", ".");
    assert.equal(matchesName(pattern, name), new RegExp(`^${source}$`).test(name));
  }));
});

Deno.test("decideNodeStep() shuts out exactly the identities whose Node was deleted", () => {
  const step = (identity: Partial<IdentityRecord>, uid?: string, ours = true) =>
    decideNodeStep({ ...IDENTITY, ...identity }, uid === undefined ? undefined : { uid, ours });
  assert.equal(step({}), "nothing");
  assert.equal(step({}, "u1"), "bind");
  assert.equal(step({ nodeUid: "u1" }, "u1"), "nothing");
  assert.equal(step({ nodeUid: "u1" }), "revoke");
  assert.equal(step({ nodeUid: "u1" }, "u2"), "revoke-and-remove");
  assert.equal(step({ revoked: { at: 1, reason: "" } }, "u2"), "nothing");
  // Somebody else's is neither bound to nor removed, unless it was taken over.
  const others = false;
  assert.equal(step({}, "u1", others), "revoke-for-other");
  assert.equal(step({ nodeUid: "u1" }, "u2", others), "revoke-for-other");
  assert.equal(step({ nodeUid: "u1" }, "u1", others), "nothing");
});
