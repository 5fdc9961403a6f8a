import assert from "node:assert/strict";
import {
  AppError,
  hours,
  type Ms,
  ms,
  seconds,
  untilAborted,
  VirtualClock,
} from "../../core/base/mod.ts";
import type { IdentityVerdict } from "../join/mod.ts";
import { NodeRequests } from "./node_requests.ts";

const PEER = { name: "n1", fingerprint: "f1" };

function rig() {
  const clock = new VirtualClock();
  const sent: { url: string; signal: AbortSignal }[] = [];
  const gone = new AbortController();
  const seen: [string, Ms][] = [];
  let answer: () => Promise<Response> = () => Promise.resolve(new Response(new ReadableStream()));
  let verdict: IdentityVerdict = { ok: true };
  let checks = 0;
  let hold: Promise<void> | undefined;
  let away = false;
  let ends = new AbortController();
  let serves = () => Promise.resolve(true);
  const requests = new NodeRequests({
    identities: {
      check: async () => {
        checks++;
        const seen = verdict;
        await hold;
        return seen;
      },
    },
    api: {
      server: "https://api/prefix",
      forwarder: {
        send: (_request, url, signal) => {
          sent.push({ url, signal });
          return answer();
        },
      },
      watch: {
        get phase() {
          return { away, ends: ends.signal };
        },
        answers: () => serves(),
      },
    },
    session: () => gone.signal,
    observe: (result, took) => void seen.push([result, took]),
    clock,
  });
  const ask = (
    path: string,
    headers: HeadersInit = { authorization: "Bearer pod" },
    left: AbortSignal = new AbortController().signal,
    method = "GET",
  ) => requests.answer(new Request(`https://localhost${path}`, { headers, method }), PEER, left);
  return {
    ...{ clock, sent, seen, gone, requests, ask },
    answers: (next: typeof answer) => void (answer = next),
    /** No answer comes before the request is ended. */
    silent: () =>
      answer = async () => {
        const signal = sent.at(-1)?.signal ?? AbortSignal.abort();
        await untilAborted(signal);
        throw signal.reason;
      },
    serves: (next: typeof serves) => void (serves = next),
    becomes: (next: boolean) => {
      const before = ends;
      ends = new AbortController();
      away = next;
      before.abort(new AppError("ServiceUnavailable", "it has changed"));
    },
    checks: () => checks,
    hold: (until?: Promise<void>) => void (hold = until),
    judge: (next: IdentityVerdict) => void (verdict = next),
  };
}

Deno.test("NodeRequests passes a pod's request on and says that the API server has answered", async () => {
  const at = rig();
  const response = await at.ask("/v1/kube/api/v1/pods?watch=1&labelSelector=a%3Db");
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("skerry-answered-by"), "api-server");
  assert.equal(at.sent[0]?.url, "https://api/prefix/api/v1/pods?watch=1&labelSelector=a%3Db");
  await at.ask("/v1/kube/api/v1/pods");
  assert.equal(at.checks(), 1, "who was found good is not looked up for each request");
  await at.ask("/v1/kube/../../v1/kube/%2e%2e/%2e%2e/v1/kube/healthz");
  assert.equal(at.sent.at(-1)?.url, "https://api/prefix/healthz");
});

Deno.test("NodeRequests sends nothing without a pod's token, for somebody else, or of a node that is shut out", async () => {
  const at = rig();
  assert.equal((await at.ask("/v1/kube/api", {})).status, 401);
  assert.equal((await at.ask("/v1/kube/api", { authorization: "Basic eDp5" })).status, 401);
  const as = { "authorization": "Bearer pod", "impersonate-user": "system:admin" };
  assert.equal((await at.ask("/v1/kube/api", as)).status, 403);
  at.judge({ ok: false, reason: "the node was deleted" });
  const refused = await at.ask("/v1/kube/api");
  assert.equal(refused.status, 403);
  assert.equal(refused.headers.get("skerry-answered-by"), null);
  assert.match(await refused.text(), /the node was deleted/);
  assert.deepEqual(at.sent, []);
});

Deno.test("NodeRequests ends what is open when the node is shut out, its session ends, or after an hour", async () => {
  const at = rig();
  await at.ask("/v1/kube/a");
  await at.requests.recheck("n1");
  assert.equal(at.sent[0]?.signal.aborted, false);
  at.judge({ ok: false, reason: "the node was deleted" });
  await at.requests.recheck("n1");
  assert.equal(at.sent[0]?.signal.aborted, true);
  assert.equal((await at.ask("/v1/kube/a")).status, 403);
  at.judge({ ok: true });
  await at.ask("/v1/kube/b");
  await at.clock.advance(hours(1));
  assert.equal(at.sent[1]?.signal.aborted, true);
  await at.ask("/v1/kube/c");
  at.gone.abort();
  assert.equal(at.sent[2]?.signal.aborted, true);
});

Deno.test("NodeRequests has a cap for each node, and room again when an answer is over", async () => {
  const at = rig();
  const open = await Promise.all(Array.from({ length: 256 }, () => at.ask("/v1/kube/a")));
  const refused = await at.ask("/v1/kube/a");
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
  await open[0]?.body?.cancel();
  assert.equal((await at.ask("/v1/kube/a")).status, 200);
});

Deno.test("NodeRequests lets nobody in who was shut out while the identity was being read", async () => {
  const at = rig();
  const read = Promise.withResolvers<void>();
  at.hold(read.promise);
  const asked = at.ask("/v1/kube/api/v1/pods?watch=1");
  at.judge({ ok: false, reason: "the node was deleted" });
  at.hold();
  await at.requests.recheck("n1");
  read.resolve();
  assert.equal((await asked).status, 403);
  assert.deepEqual(at.sent, []);
});

Deno.test("NodeRequests tells what came of each request, and how many are under way", async () => {
  const at = rig();
  const watch = await at.ask("/v1/kube/a");
  assert.equal(at.requests.open, 1);
  await watch.body?.cancel();
  assert.equal(at.requests.open, 0);
  at.answers(async () => {
    await at.clock.advance(seconds(2));
    return new Response(null, { status: 409 });
  });
  await at.ask("/v1/kube/a");
  at.answers(() => Promise.resolve(new Response(null, { status: 503 })));
  await at.ask("/v1/kube/a");
  at.answers(() => Promise.reject(new AppError("ServiceUnavailable", "the API server is away")));
  await at.ask("/v1/kube/a");
  await at.ask("/v1/kube/a", { authorization: "Bearer pod" }, AbortSignal.abort());
  await at.ask("/v1/kube/a", {});
  at.answers(() => Promise.resolve(new Response(new ReadableStream())));
  await Promise.all(Array.from({ length: 257 }, () => at.ask("/v1/kube/a")));
  assert.equal(at.requests.open, 256);
  const results = at.seen.map(([result]) => result);
  assert.deepEqual(results.slice(0, 6), [
    ...["ok", "refused", "failed", "no_answer", "gone", "not_let_in"],
  ]);
  assert.equal(results.filter((result) => result === "too_many").length, 1);
  assert.equal(at.seen[1]?.[1], seconds(2));
});

/** Code, who has answered, when to come again, and what was said. */
async function outcome(response: Response): Promise<(number | string | null)[]> {
  const { status, headers } = response;
  const { message } = await response.json();
  return [status, headers.get("skerry-answered-by"), headers.get("retry-after"), message];
}

const POD = { authorization: "Bearer pod" };
const NEVER = new AbortController().signal;

Deno.test("NodeRequests asks nothing of a server that is away, and says so at once", async () => {
  const at = rig();
  at.becomes(true);
  for (const method of ["GET", "POST"]) {
    const found = await outcome(await at.ask("/v1/kube/a", POD, NEVER, method));
    assert.deepEqual(found.slice(0, 3), [503, "nobody", "1"]);
    assert.match(String(found[3]), /away: nothing was asked/);
  }
  assert.deepEqual([at.sent.length, at.requests.open], [0, 0]);
  assert.deepEqual(at.seen.map(([result]) => result), ["no_answer", "no_answer"]);
  at.becomes(false);
  assert.equal((await at.ask("/v1/kube/a")).status, 200);
});

Deno.test("NodeRequests ends what is open when the server goes away, and lets nobody repeat a write by itself", async () => {
  const at = rig();
  const watch = await at.ask("/v1/kube/a?watch=1");
  at.silent();
  const read = at.ask("/v1/kube/a");
  const write = at.ask("/v1/kube/a", POD, NEVER, "POST");
  await at.clock.advance(ms(100));
  assert.equal(at.sent.length, 3);
  at.becomes(true);
  assert.deepEqual((await outcome(await read)).slice(0, 3), [503, "nobody", "1"]);
  const doubt = await outcome(await write);
  assert.deepEqual(doubt.slice(0, 3), [504, "nobody", null]);
  assert.match(String(doubt[3]), /may have been done/);
  assert.equal(at.sent[0]?.signal.aborted, true);
  await watch.body?.cancel();
  assert.equal(at.requests.open, 0);
  assert.equal(at.clock.size, 0);
});

Deno.test("NodeRequests has a read come again whose node's session ends, and leaves a write in doubt", async () => {
  const at = rig();
  at.silent();
  const read = at.ask("/v1/kube/a");
  const write = at.ask("/v1/kube/a", POD, NEVER, "POST");
  await at.clock.advance(ms(100));
  at.gone.abort(new AppError("ServiceUnavailable", "node n1 went away"));
  assert.deepEqual((await outcome(await read)).slice(0, 3), [503, null, "1"]);
  const doubt = await outcome(await write);
  assert.deepEqual(doubt.slice(0, 3), [504, null, null]);
  assert.match(String(doubt[3]), /session of node n1 .*may have been done/);
});

Deno.test("NodeRequests asks whether a server answers that lets a read wait, and waits on when it does", async () => {
  const at = rig();
  let asked = 0;
  let answers = true;
  at.serves(() => {
    asked++;
    return Promise.resolve(answers);
  });
  const slow = Promise.withResolvers<Response>();
  at.answers(() => slow.promise);
  const read = at.ask("/v1/kube/a");
  await at.clock.advance(seconds(10));
  assert.equal(asked, 1);
  slow.resolve(new Response("there"));
  assert.equal(await (await read).text(), "there");

  answers = false;
  at.silent();
  const lost = at.ask("/v1/kube/a");
  const write = at.ask("/v1/kube/a", POD, NEVER, "DELETE");
  await at.clock.advance(seconds(1));
  assert.deepEqual((await outcome(await lost)).slice(0, 2), [503, "nobody"]);
  assert.equal(at.sent.at(-1)?.signal.aborted, false, "a write waits for more than a suspicion");
  at.becomes(true);
  assert.equal((await write).status, 504);

  // An answer that has begun stays, whatever is found out meanwhile.
  at.becomes(false);
  const late = Promise.withResolvers<boolean>();
  at.serves(() => late.promise);
  const head = Promise.withResolvers<Response>();
  at.answers(() => head.promise);
  const begun = at.ask("/v1/kube/a");
  await at.clock.advance(seconds(1));
  head.resolve(new Response(new ReadableStream()));
  const response = await begun;
  late.resolve(false);
  await at.clock.advance(seconds(1));
  assert.equal(at.sent.at(-1)?.signal.aborted, false);
  await response.body?.cancel();
});

Deno.test("NodeRequests says of a connection that does not come about that nobody has answered", async () => {
  const at = rig();
  const refuse = (retryAfterSeconds?: number) => () =>
    Promise.reject(
      new AppError("ServiceUnavailable", "cannot be asked", {
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      }),
    );
  at.answers(refuse(1));
  assert.deepEqual((await outcome(await at.ask("/v1/kube/a"))).slice(0, 3), [503, "nobody", "1"]);
  at.answers(refuse());
  const write = await outcome(await at.ask("/v1/kube/a", POD, NEVER, "POST"));
  assert.deepEqual(write, [504, "nobody", null, "cannot be asked"]);
  at.answers(() => Promise.reject(new AppError("Timeout", "it takes long")));
  assert.deepEqual((await outcome(await at.ask("/v1/kube/a"))).slice(0, 2), [504, null]);
});
