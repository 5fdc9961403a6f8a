import assert from "node:assert/strict";
import type { Pod } from "../../core/api/mod.ts";
import {
  AppError,
  hours,
  minutes,
  type Ms,
  ms,
  seconds,
  silentLogger,
  toTime,
  VirtualClock,
} from "../../core/base/mod.ts";
import { openSqliteStore } from "../../core/store/mod.ts";
import { pruneTokens, readToken, tokenKey, tokenSources } from "./pod_tokens.ts";
import { testPod } from "./testing/bench.ts";
import { TokenKeeper } from "./token_keeper.ts";

const VOLUME = {
  name: "kube-api-access",
  projected: { sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 3607 } }] },
};

function rig() {
  const clock = new VirtualClock();
  const store = openSqliteStore({ path: ":memory:", clock });
  const stop = new AbortController();
  const asked: string[] = [];
  const told: { uid: string; after: Ms }[] = [];
  let answer: () => { token: string; expires: string } = () => ({
    token: `token-${asked.length}`,
    expires: toTime((clock.now() + seconds(3607)) as Ms),
  });
  const keeper = new TokenKeeper({
    store,
    clock,
    random: () => 0.5,
    log: silentLogger,
    signal: stop.signal,
    request: (pod) => {
      asked.push(pod.metadata.name);
      return Promise.resolve().then(() => answer());
    },
    changed: (uid, after) => void told.push({ uid, after }),
  });
  const kept = (pod: Pod): string | undefined =>
    store.transact((tx) => tokenSources(pod).map((one) => readToken(tx, pod, one)?.token))[0];
  const look = (pod: Pod): ReturnType<TokenKeeper["look"]> => {
    const token = kept(pod);
    const held = tokenSources(pod).flatMap((one) => token ? [[tokenKey(one), token]] : []);
    return keeper.look(pod, Object.fromEntries(held));
  };
  return {
    ...{ clock, store, keeper, asked, told, kept, look },
    answers: (next: typeof answer) => void (answer = next),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await keeper.settled();
      store[Symbol.dispose]();
    },
  };
}

Deno.test("TokenKeeper asks once for a pod's token, and the pod waits until it is there", async () => {
  await using at = rig();
  const pod = testPod("web", { volumes: [VOLUME] });
  assert.match(at.look(pod)?.message ?? "", /"default" is being fetched/);
  at.look(pod);
  await at.clock.advance(seconds(0) as Ms);
  assert.deepEqual(at.asked, ["web"]);
  assert.equal(at.kept(pod), "token-1");
  assert.equal(at.look(pod), undefined);
  assert.equal(at.look(testPod("bare")), undefined);
  const before = at.keeper.look(pod, {});
  assert.match(before?.message ?? "", /is being fetched/, "it came after the pod was read");
  assert.deepEqual(at.asked, ["web"]);
});

Deno.test("pruneTokens() may be asked to keep what the store says", async () => {
  await using at = rig();
  for (const name of ["web", "gone"]) at.look(testPod(name, { volumes: [VOLUME] }));
  await at.clock.advance(seconds(0) as Ms);
  pruneTokens(at.store, (uid) => at.store.transact(() => uid === "uid-web"));
  const kept = ["web", "gone"].map((name) => at.kept(testPod(name, { volumes: [VOLUME] })));
  assert.deepEqual(kept, ["token-2", undefined]);
});

Deno.test("TokenKeeper replaces a token after four fifths of its life, and keeps it while nobody answers", async () => {
  await using at = rig();
  const pod = testPod("web", { volumes: [VOLUME] });
  at.look(pod);
  await at.clock.advance(seconds(1));
  at.look(pod);
  assert.equal(at.told.at(-1)?.after, Math.round(3607 * 0.8) * 1000 - 400 - 1000);
  at.answers(() => {
    throw new AppError("ServiceUnavailable", "the hub is away");
  });
  await at.clock.advance(hours(5));
  assert.equal(at.look(pod), undefined);
  await at.clock.advance(minutes(5));
  assert.equal(at.kept(pod), "token-1");
  at.answers(() => ({ token: "new", expires: toTime((at.clock.now() + hours(1)) as Ms) }));
  at.look(pod);
  await at.clock.advance(minutes(5));
  assert.equal(at.kept(pod), "new");
});

Deno.test("TokenKeeper says why there is no token, and forgets what is of pods that are gone", async () => {
  await using at = rig();
  const pod = testPod("web", { volumes: [VOLUME], serviceAccountName: "robot" });
  at.answers(() => {
    throw new AppError("NotFound", 'serviceaccounts "robot" not found');
  });
  at.look(pod);
  await at.clock.advance(seconds(2));
  assert.deepEqual(at.look(pod), {
    message: 'no token for service account "robot": serviceaccounts "robot" not found',
    tell: "FailedMount",
  });
  at.answers(() => ({ token: "now", expires: toTime((at.clock.now() + hours(1)) as Ms) }));
  await at.clock.advance(minutes(2));
  at.look(pod);
  await at.clock.advance(seconds(0) as Ms);
  assert.equal(at.kept(pod), "now");
  at.keeper.drop("uid-web");
  assert.equal(at.kept(pod), undefined);
});

Deno.test("TokenKeeper tells nothing of refusals of the first moment, in which others are asked for", async () => {
  await using at = rig();
  const late = [1, 2, 3, 4, 5].map((n) => testPod(`late-${n}`, { volumes: [VOLUME] }));
  const web = testPod("web", { volumes: [VOLUME] });
  at.answers(() => {
    throw new AppError("Forbidden", "pod not found");
  });
  for (const pod of late) at.look(pod);
  await at.clock.advance(ms(0));
  at.answers(() => ({ token: "now", expires: toTime((at.clock.now() + hours(1)) as Ms) }));
  at.look(web);
  await at.clock.advance(ms(0));
  assert.equal(at.kept(web), "now", "nobody who waits holds a place");
  for (const pod of late) {
    assert.match(at.look(pod)?.message ?? "", /is being fetched/);
    assert.equal(at.look(pod)?.tell, undefined);
  }
  await at.clock.advance(seconds(2));
  for (const pod of late) assert.equal(at.kept(pod), "now");
});

Deno.test("TokenKeeper says at once when nobody could issue a token", async () => {
  await using at = rig();
  const pod = testPod("web", { volumes: [VOLUME] });
  at.answers(() => {
    throw new AppError("Unsupported", "no hub");
  });
  at.look(pod);
  await at.clock.advance(ms(0));
  assert.match(at.look(pod)?.message ?? "", /no hub/);
});
