import { seededRandom } from "../../core/base/mod.ts";
import { FakeApiServer, status } from "../../core/kube/testing.ts";

/** How an API server may treat its callers. */
export type Mood = "well" | "throttles" | "fails" | "denies" | "cuts";

/** A proxy in front of an API server that does not always pass on what was asked or answered. */
export class MoodyServer implements AsyncDisposable {
  mood: Mood = "well";
  /** How many requests it has spoilt. */
  spoilt = 0;
  readonly #server: string;
  readonly #client: Deno.HttpClient;
  readonly #random = seededRandom(7);
  #front!: FakeApiServer;

  private constructor(server: string, ca: string) {
    this.#server = server;
    this.#client = Deno.createHttpClient({ caCerts: [ca] });
  }

  /** Starts one in front of `server`, whose CA is PEM `ca`. */
  static async start(server: string, ca: string): Promise<MoodyServer> {
    const moody = new MoodyServer(server, ca);
    moody.#front = await FakeApiServer.start((request) => moody.#answer(request));
    return moody;
  }

  /** Its address, and the PEM of its CA. */
  get endpoint(): { readonly server: string; readonly ca: string } {
    return this.#front.endpoint;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#front[Symbol.asyncDispose]();
    this.#client.close();
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const spoil = this.#random() < 0.6;
    if (spoil && this.mood !== "well") this.spoilt++;
    if (spoil && this.mood === "throttles") {
      return status(429, "TooManyRequests", { "retry-after": "1" });
    }
    if (spoil && this.mood === "fails") return status(500, "InternalError");
    if (spoil && this.mood === "denies") return status(403, "Forbidden");
    const answer = await fetch(`${this.#server}${pathname}${search}`, {
      client: this.#client,
      method: request.method,
      headers: request.headers,
      ...(request.body ? { body: await request.arrayBuffer() } : {}),
      signal: request.signal,
    });
    const { status: code, headers, body } = answer;
    const length = spoil && this.mood === "cuts" ? 200 : Infinity;
    return new Response(body && body.pipeThrough(cutAfter(length)), {
      status: code,
      headers: { "content-type": headers.get("content-type") ?? "" },
    });
  }
}

/** Breaks off after so many bytes. */
function cutAfter(
  length: number,
): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let left = length;
  return new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk.subarray(0, Math.min(left, chunk.byteLength)));
      left -= chunk.byteLength;
      if (left <= 0) controller.error(new Error("it breaks off"));
    },
  });
}
