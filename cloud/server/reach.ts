import { minutes, type Ms, ms, seconds } from "../../core/base/mod.ts";

/** What is known of an API server. Times are monotonic. */
export interface Reach {
  /** Whether it counts as away. */
  readonly away: boolean;
  /** How often it was asked in vain since `since`. */
  readonly tries: number;
  /** Since when it has been asked in vain; of one that is away: since when it has answered something. */
  readonly since?: Ms;
}

/** What came of asking it once. */
export interface Asked {
  /** When it was asked. */
  readonly from: Ms;
  readonly now: Ms;
  /** Whether it has given what it was asked for. */
  readonly ok: boolean;
  /** When it gave its last answer, to whoever: a refusal is one. */
  readonly heard: Ms;
}

/** A server that answers. */
export const HERE: Reach = { away: false, tries: 0 };

/**
 * A server that is away for less is not: it starts anew, or one of several does, and what is open to
 * it would be ended for nothing.
 */
const GRACE = seconds(3);
/** One question may get lost, or its answer be read too late by a process that has much to do. */
const MIN_TRIES = 2;
/** A server that answers, but for so long not what it was asked for, counts as back. */
const LATEST = minutes(1);

/**
 * What follows for the server from having been asked once more. Pure. It goes away when nobody has
 * had an answer for some seconds, though it was asked more than once; it is back when it gives what
 * it is asked for, as one that starts anew answers first that it knows nobody's rights.
 */
export function nextReach(state: Reach, { from, now, ok, heard }: Asked): Reach {
  const answers = ok || heard > from;
  if (state.away) {
    if (ok) return HERE;
    if (!answers) return { away: true, tries: state.tries + 1 };
    const since = state.since ?? from;
    return now - since >= LATEST ? HERE : { away: true, tries: state.tries + 1, since };
  }
  if (answers) return HERE;
  const fresh = state.since === undefined || heard > state.since;
  const since = fresh ? from : state.since;
  const tries = fresh ? 1 : state.tries + 1;
  if (tries >= MIN_TRIES && ms(now - since) >= GRACE) return { away: true, tries };
  return { away: false, tries, since };
}
