import { AppError, deadline, type Logger } from "../../core/base/mod.ts";
import { CLOSE, LINK, type Message, type Session } from "../../core/link/mod.ts";
import {
  adoptEpoch,
  allowPrune,
  applyMessage,
  completeReplica,
  FromHub,
  type OnRemoved,
  type Open,
  type Outbox,
  readMessage,
  replicaItems,
  replicaState,
  type Welcome,
} from "../../core/sync/mod.ts";
import type { Tx } from "../../core/store/mod.ts";
import type { LinkOptions, Synced } from "./options.ts";

/** Messages that are applied in one transaction. */
const BATCH = LINK.windowMessages;

/** What a session of the agent works with. */
export interface SessionRun {
  readonly options: LinkOptions;
  readonly session: Session;
  readonly outbox: Outbox;
  readonly log: Logger;
  /** The hub has welcomed the node, and said whether its API server is away. */
  readonly onWelcome: (serverAway: boolean) => void;
  readonly onSynced: (synced: Synced) => void;
  readonly onOpen: (open: Open) => void;
  readonly onReport: () => void;
  /** The hub's API server has gone away, or is back. */
  readonly onServer: (away: boolean) => void;
}

/**
 * Runs one session from `hello` to its end.
 *
 * @throws what ended it: `BadRequest` when the hub broke the protocol, what the store throws when
 * a batch could not be committed (nothing of it was acknowledged), ServiceUnavailable
 */
export async function runSession(run: SessionRun): Promise<void> {
  const { session, options, outbox } = run;
  const { store } = options;
  const before = store.transact(replicaState);
  await session.send({
    t: "hello",
    protocol: LINK.protocol,
    agent: options.version,
    bootId: options.bootId,
    ...before,
    features: ["prune", "server"],
  });
  const welcome = await readWelcome(run);
  session.setHeartbeat(welcome.heartbeatMs as typeof LINK.heartbeat);
  const newEpoch = before.epoch !== welcome.epoch &&
    store.transact((tx) => adoptEpoch(tx, welcome.epoch));
  const synced = { epoch: welcome.epoch, newEpoch };
  run.onWelcome(welcome.serverAway ?? false);
  if (welcome.sync === "have") {
    await session.send({ t: "have", items: store.transact(replicaItems) });
  } else {
    store.transact((tx) => completeReplica(tx, onRemoved(options, tx)));
    run.onSynced(synced);
  }
  outbox.attach({
    send: (message) => session.send(message),
    fail: (error) => session.close(CLOSE.bye, error instanceof Error ? error.message : "failed"),
  });
  try {
    await receive(run, synced);
  } finally {
    outbox.detach();
  }
}

async function readWelcome({ session, options }: SessionRun): Promise<Welcome> {
  using _limit = deadline(options.clock, LINK.answerTimeout, () => {
    session.close(CLOSE.protocol, "no welcome");
  });
  const first = await session.receive();
  if (!first) throw new AppError("ServiceUnavailable", "the hub closed the session");
  const welcome = readMessage(FromHub, first);
  if (welcome.t !== "welcome") {
    throw new AppError("BadRequest", "the hub's first message must be welcome");
  }
  if (welcome.protocol > LINK.protocol || welcome.protocol < LINK.protocol - 1) {
    session.close(CLOSE.version, `this agent speaks ${LINK.protocol} and one version before`);
    throw new AppError("Unsupported", `the hub speaks protocol ${welcome.protocol}`);
  }
  return welcome;
}

async function receive(run: SessionRun, synced: Synced): Promise<void> {
  const { session } = run;
  let committed = 0;
  for (;;) {
    const first = await session.receive();
    if (!first) return;
    const batch: Message[] = [first];
    while (batch.length < BATCH) {
      const next = session.tryReceive();
      if (!next) break;
      batch.push(next);
    }
    const { acked, complete, then } = commit(run, batch, committed);
    for (const act of then) act();
    if (complete) run.onSynced(synced);
    if (acked === undefined) continue;
    committed = Math.max(committed, acked);
    await session.send({ t: "ack", seq: committed });
  }
}

interface Committed {
  /** Highest `seq` among the messages, if any had one. */
  readonly acked: number | undefined;
  /** Whether a snapshot ended. */
  readonly complete: boolean;
  /** What follows from the commit. */
  readonly then: readonly (() => void)[];
}

function onRemoved({ handlers }: LinkOptions, tx: Tx): OnRemoved {
  return (removed) => handlers?.onDelete?.(tx, removed);
}

/** Applies a batch in one transaction. What has been committed in this session is not applied again. */
function commit(run: SessionRun, batch: readonly Message[], committed: number): Committed {
  const { options, outbox } = run;
  let acked: number | undefined;
  let complete = false;
  const then: (() => void)[] = [];
  const messages = batch.map((message) => readMessage(FromHub, message));
  // A result that is lost makes the node tell the hub once more, which changes nothing.
  const durable = messages.some(({ t }) => t !== "result" && t !== "server");
  options.store.transact((tx) => {
    for (const read of messages) {
      switch (read.t) {
        case "welcome":
          throw new AppError("BadRequest", "a second welcome");
        case "open":
          then.push(() => run.onOpen(read));
          break;
        case "report":
          then.push(run.onReport);
          break;
        case "server":
          then.push(() => run.onServer(read.away));
          break;
        case "prune":
          allowPrune(tx);
          // By the next session's snapshot.
          then.push(() => run.session.close(CLOSE.bye, "what is kept is to go"));
          break;
        case "result":
          then.push(outbox.result(tx, read));
          break;
        default:
          acked = Math.max(acked ?? 0, read.seq);
          if (read.seq <= committed) break;
          applyMessage(tx, read, options.node, onRemoved(options, tx));
          if (read.t === "snap") complete = true;
      }
    }
  }, { durable });
  return { acked, complete, then };
}
