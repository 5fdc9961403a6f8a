import { apiVersionOf, type KubeObject, type ResourceDef } from "../../api/mod.ts";
import { AppError, type Clock, errorText, isAppError, ms, seconds } from "../../base/mod.ts";
import type { Watch, WatchEvent } from "../../store/mod.ts";
import { numberOf, selectionOf, viewOf } from "../query.ts";
import { isTrue } from "../request_info.ts";
import { renderEvent, type View } from "../render.ts";
import { statusOf } from "../status.ts";
import { columnsOf } from "../table/mod.ts";
import type { ResourceContext } from "../types.ts";

/** A watch without `timeoutSeconds` ends after this long, so that forgotten ones do not pile up. */
const DEFAULT_SECONDS = 3600;
/** A quiet watch says that it lives this often, where bookmarks are allowed. */
const BEAT = seconds(60);

interface Plan {
  /** Absent: start with all that exists. */
  readonly resourceVersion?: string;
  readonly bookmarks: boolean;
  /** Send the bookmark that ends the initial events (KEP-3157). */
  readonly initialEnd: boolean;
  readonly seconds: number;
}

/**
 * GET of a collection with `watch=true`: one JSON line an event, as long as the client reads.
 * KEP-3157 (`sendInitialEvents`) and bookmarks as kube-apiserver; a reader that is too slow gets
 * an ERROR event `Expired` and starts anew.
 */
export async function watchVerb(context: ResourceContext): Promise<Response> {
  const plan = await planWatch(context);
  const view = viewOf(context);
  const watch = await context.api.store.watch(context.resource, {
    ...selectionOf(context),
    ...(plan.resourceVersion === undefined ? {} : { resourceVersion: plan.resourceVersion }),
  });
  return new Response(streamOf(context, watch, plan, view), {
    headers: { "content-type": "application/json", "cache-control": "no-cache, private" },
  });
}

async function planWatch(context: ResourceContext): Promise<Plan> {
  const query = context.url.searchParams;
  const wants = query.get("sendInitialEvents");
  const version = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  const bookmarks = isTrue(query.get("allowWatchBookmarks"));
  if (wants !== null && match !== "NotOlderThan") {
    throw new AppError(
      "BadRequest",
      "resourceVersionMatch: Forbidden: sendInitialEvents requires " +
        'resourceVersionMatch "NotOlderThan"',
    );
  }
  const seconds = numberOf(query, "timeoutSeconds") || DEFAULT_SECONDS;
  if (isTrue(wants)) return { bookmarks, initialEnd: bookmarks, seconds };
  const base = { bookmarks, initialEnd: false, seconds };
  if (wants === null && (version === "" || version === "0")) return base;
  return {
    ...base,
    resourceVersion: version === "" || version === "0" ? await newest(context) : version,
  };
}

async function newest({ api, resource }: ResourceContext): Promise<string> {
  return (await api.store.list(resource, { limit: 1 })).resourceVersion;
}

function streamOf(
  context: ResourceContext,
  watch: Watch,
  plan: Plan,
  view: View,
): ReadableStream<Uint8Array> {
  const { clock, log } = context.api;
  const encoder = new TextEncoder();
  const lines = new EventLines(context.resource, view, plan);
  const events = new BeatingEvents(watch, clock, plan.bookmarks);
  const timer = clock.timer(ms(plan.seconds * 1000), () => watch.abort());
  const onGone = (): void => watch.abort();
  let cancelled = false;
  const end = (): void => {
    timer[Symbol.dispose]();
    events[Symbol.dispose]();
    context.info.signal.removeEventListener("abort", onGone);
    watch.abort();
  };
  context.info.signal.addEventListener("abort", onGone, { once: true });
  if (context.info.signal.aborted) watch.abort();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        for (;;) {
          const event = await events.next();
          // The client left while this waited; `end` has run and nobody reads.
          if (cancelled) return;
          if (event === undefined) {
            end();
            return controller.close();
          }
          const line = lines.line(event, clock.now());
          if (line !== undefined) return controller.enqueue(encoder.encode(line));
        }
      } catch (error) {
        end();
        if (cancelled) return;
        if (!isAppError(error)) {
          log.error("watch failed", { error: errorText(error), path: context.url.pathname });
        }
        controller.enqueue(encoder.encode(errorLine(error)));
        controller.close();
      }
    },
    cancel() {
      cancelled = true;
      end();
    },
  }, { highWaterMark: 0 });
}

/**
 * The events of a watch, with a beat once a minute while nothing happens, so that a client can
 * tell a quiet watch from a dead connection (kube-apiserver's bookmark interval).
 */
class BeatingEvents implements Disposable {
  readonly #events: AsyncIterator<WatchEvent>;
  readonly #clock: Clock;
  readonly #beats: boolean;
  #next: Promise<IteratorResult<WatchEvent>> | undefined;
  #timer: Disposable | undefined;

  constructor(watch: Watch, clock: Clock, beats: boolean) {
    this.#events = watch[Symbol.asyncIterator]();
    this.#clock = clock;
    this.#beats = beats;
  }

  /** The next event, `"beat"` after a quiet minute, `undefined` at the end. */
  async next(): Promise<WatchEvent | "beat" | undefined> {
    this.#next ??= this.#events.next();
    const beat = Promise.withResolvers<"beat">();
    if (this.#beats) this.#timer = this.#clock.timer(BEAT, () => beat.resolve("beat"));
    try {
      const first = await Promise.race([this.#next, beat.promise]);
      if (first === "beat") return first;
      this.#next = undefined;
      return first.done ? undefined : first.value;
    } finally {
      this[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }
}

function errorLine(error: unknown): string {
  return `${JSON.stringify({ type: "ERROR", object: statusOf(error) })}\n`;
}

/** Turns store events into lines; remembers whether the table's columns have been sent. */
class EventLines {
  readonly #resource: ResourceDef;
  readonly #view: View;
  readonly #plan: Plan;
  #first = true;
  /** All up to here has been sent. */
  #sent: string | undefined;

  constructor(resource: ResourceDef, view: View, plan: Plan) {
    this.#resource = resource;
    this.#view = view;
    this.#plan = plan;
    this.#sent = plan.resourceVersion;
  }

  /** The line of an event; `undefined` for a bookmark that was not asked for or says nothing. */
  line(event: WatchEvent | "beat", now: View["now"]): string | undefined {
    if (event === "beat") {
      if (this.#sent === undefined) return undefined;
      return this.#write("BOOKMARK", this.#bookmark(this.#sent), now);
    }
    // During the unordered initial events a version says nothing about what has been sent.
    if (event.type === "BOOKMARK" || this.#sent !== undefined) this.#sent = event.resourceVersion;
    if (event.type === "BOOKMARK") {
      const wanted = event.initialEnd ? this.#plan.initialEnd : this.#plan.bookmarks;
      if (!wanted) return undefined;
      return this.#write("BOOKMARK", this.#bookmark(event.resourceVersion, event.initialEnd), now);
    }
    return this.#write(event.type, event.object, now);
  }

  #bookmark(resourceVersion: string, initialEnd?: boolean): KubeObject {
    return {
      kind: this.#resource.kind,
      apiVersion: apiVersionOf(this.#resource),
      metadata: {
        name: "",
        resourceVersion,
        ...(initialEnd ? { annotations: { "k8s.io/initial-events-end": "true" } } : {}),
      },
    };
  }

  #write(type: string, object: KubeObject, now: View["now"]): string {
    const columns = this.#first ? columnsOf(this.#resource) : null;
    this.#first = false;
    const rendered = renderEvent(this.#resource, object, { ...this.#view, now }, columns);
    return `${JSON.stringify({ type, object: rendered })}\n`;
  }
}
