import {
  AppError,
  deadline,
  errorText,
  isAppError,
  type Logger,
  markTold,
  type Ms,
  ms,
  OutageLog,
  seconds,
  sleep,
} from "../../core/base/mod.ts";
import {
  CLOSE,
  type Closed,
  type Connection,
  type Dialer,
  LINK,
  Session,
} from "../../core/link/mod.ts";
import { Outbox, RefusalLog } from "../../core/sync/mod.ts";
import { IncomingStreams } from "./incoming.ts";
import type { Link, LinkOptions, LinkState } from "./options.ts";
import { runSession } from "./session_run.ts";

/** Makes the agent's side of the link. Nothing runs before `run`. */
export function createLink(options: LinkOptions): Link {
  return new AgentLink(options);
}

/** A session that lasted this long counts as one; after shorter ones the waits go on growing. */
const HEALTHY_AFTER = seconds(5);
/** How long a hub has to show a sign of life after the network changed. */
const PROBE = seconds(2);

class AgentLink implements Link {
  readonly outbox: Outbox;
  readonly #options: LinkOptions;
  readonly #log: Logger;
  readonly #streams: IncomingStreams;
  readonly #outage: OutageLog;
  #session: Session | undefined;
  #state: LinkState;
  #wake: (() => void) | undefined;
  /** Monotonic; since when there has been no healthy session. */
  #lostAt: Ms;
  /** Whether the last dial was refused at once, rather than lost. */
  #refused = false;
  /** Monotonic; when the last session was welcomed. */
  #welcomedAt: Ms | undefined;

  constructor(options: LinkOptions) {
    const { clock, dialer, handlers, heartbeat, log, random, store } = options;
    this.#options = options;
    this.#log = log;
    this.#outage = new OutageLog({ clock, log });
    const message = "hub refused an intent";
    const refusals = new RefusalLog({ clock, log, level: "warn", message });
    this.#state = { connected: false, since: clock.now() };
    this.#lostAt = clock.monotonic();
    this.outbox = new Outbox({
      store,
      clock,
      random,
      onRefused: (intent, { code, message }) => {
        const { key, kind } = intent;
        const said = refusals.refused(key, { kind, code, error: message });
        handlers?.onRefused?.(intent, { code, message, said });
      },
      onApplied: (key) => refusals.applied(key),
    });
    this.#streams = new IncomingStreams({
      dialer,
      clock,
      log,
      ...(heartbeat ? { heartbeat } : {}),
      onOpen: handlers?.onOpen?.bind(handlers),
    });
  }

  get state(): LinkState {
    return this.#state;
  }

  get uncommitted(): number {
    return this.#session?.waiting ?? 0;
  }

  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    ready();
    while (!signal.aborted) {
      const wait = await this.#once(signal);
      if (signal.aborted) break;
      await this.#pause(wait, signal);
    }
    await this.#streams.drained();
  }

  kick(): void {
    this.#lostAt = this.#options.clock.monotonic();
    this.#wake?.();
    this.#session?.probe(PROBE);
  }

  async call(method: string, body: unknown, signal?: AbortSignal): Promise<unknown> {
    if (!this.#session || !this.#state.connected) {
      const error = new AppError(
        "ServiceUnavailable",
        `cannot ask the hub to ${method}: not connected`,
      );
      markTold(error);
      throw error;
    }
    return await this.#session.call(method, body, signal);
  }

  /** One session from dial to end. Returns how long to wait before the next. */
  async #once(signal: AbortSignal): Promise<Ms> {
    this.#welcomedAt = undefined;
    let failure: unknown;
    let closed: Closed | undefined;
    try {
      closed = await this.#runSession(signal);
    } catch (error) {
      failure = error;
    }
    if (signal.aborted) return ms(0);
    const code = closed?.code;
    const text = closed ? `session over: ${code} ${closed.reason}` : errorText(failure);
    const shutOut = code === CLOSE.shutOut || isAppError(failure, "Forbidden");
    this.#setState({
      connected: false,
      lastError: text,
      ...(code ? { closeCode: code } : {}),
      ...(shutOut ? { shutOut } : {}),
    });
    const wait = this.#delay(code, shutOut);
    const fields = { error: text, wait: Math.round(wait) };
    // Nothing mends that but a person.
    if (shutOut) {
      const advice = this.#options.joinAgain?.(text);
      this.#outage.failed("warn", "the hub has shut this node out", { ...fields, advice });
    } else this.#outage.failed("info", "link is down", fields);
    return wait;
  }

  /**
   * Full jitter over a quarter of the time that there has been no healthy session, so that a node
   * is back soon after a short outage and a long one costs little (docs/protocol.md 3). A hub whose
   * machine is there is asked more often than one behind a cut line.
   */
  #delay(code: number | undefined, shutOut: boolean): Ms {
    if (shutOut) return LINK.shutOutDelay;
    const { clock, random } = this.#options;
    const now = clock.monotonic();
    if (this.#welcomedAt !== undefined && now - this.#welcomedAt >= HEALTHY_AFTER) {
      this.#lostAt = now;
      // The hub said so itself; another one may be there already.
      if (code === CLOSE.stopping) return ms(0);
    }
    const lost = now - this.#lostAt;
    const [window, cap] = this.#refused
      ? [lost / 8, LINK.redialRefusedCap]
      : [lost / 4, LINK.redialCap];
    return ms(random() * Math.min(cap, Math.max(LINK.redialBase, window)));
  }

  /** @throws what ended the session, unless the connection's end did; that is returned */
  async #runSession(signal: AbortSignal): Promise<Closed> {
    const { clock, dialer, heartbeat, handlers } = this.#options;
    const connection = await this.#dial(dialer, signal);
    const session = this.#session = new Session({
      connection,
      clock,
      log: this.#log,
      heartbeat: heartbeat ?? LINK.heartbeat,
    });
    const onAbort = (): void => session.close(CLOSE.bye, "the agent is stopping");
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await runSession({
        options: this.#options,
        session,
        outbox: this.outbox,
        log: this.#log,
        onWelcome: (serverAway) => {
          this.#welcomedAt = clock.monotonic();
          this.#setState({ connected: true, serverAway });
          this.#log.info("link is up", {
            ...this.#outage.ended(),
            ...(serverAway ? { serverAway } : {}),
          });
        },
        onSynced: (synced) => handlers?.onSynced?.(synced),
        onOpen: (open) => this.#streams.open(open, signal),
        onReport: () => handlers?.onReport?.(),
        onServer: (serverAway) => {
          this.#setState({ connected: true, serverAway });
          this.#log.info(`the API server behind the hub is ${serverAway ? "away" : "back"}`);
        },
      });
    } catch (error) {
      const broke = isAppError(error, "BadRequest", "RequestEntityTooLarge");
      session.close(broke ? CLOSE.protocol : CLOSE.bye, errorText(error).slice(0, 100));
      // When the connection is the reason, how it ended says more.
      if (!isAppError(error, "ServiceUnavailable")) throw error;
    } finally {
      this.#session = undefined;
      signal.removeEventListener("abort", onAbort);
    }
    return await session.closed;
  }

  async #dial(dialer: Dialer, signal: AbortSignal): Promise<Connection> {
    const { clock } = this.#options;
    const began = clock.monotonic();
    using limit = deadline(
      clock,
      LINK.dialTimeout,
      () => new AppError("ServiceUnavailable", "the hub does not answer"),
      signal,
    );
    try {
      const connection = await dialer.dial(
        "/v1/link",
        limit.signal,
        () => limit.restart(LINK.answerTimeout),
      );
      this.#refused = false;
      return connection;
    } catch (error) {
      this.#refused = clock.monotonic() - began < LINK.dialRefused;
      throw error;
    }
  }

  #setState(change: Omit<LinkState, "since">): void {
    const goesOn = change.connected && this.#state.connected;
    const since = goesOn ? this.#state.since : this.#options.clock.now();
    this.#state = { ...change, since };
    this.#options.handlers?.onState?.(this.#state);
  }

  async #pause(wait: Ms, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    // Not AbortSignal.any: `signal` lives as long as the process and would collect followers.
    signal.addEventListener("abort", this.#wake, { once: true });
    await sleep(this.#options.clock, wait, woken.signal).catch(() => {/* stopped, or kicked */});
    signal.removeEventListener("abort", this.#wake);
    this.#wake = undefined;
  }
}
