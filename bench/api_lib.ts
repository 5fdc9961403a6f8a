import { parse } from "yaml";
import type { KubeObject } from "../core/api/mod.ts";
import { AppError, deadline, seconds, systemClock } from "../core/base/mod.ts";

interface Kubeconfig {
  readonly clusters: {
    readonly cluster: { readonly server: string; readonly "certificate-authority-data": string };
  }[];
  readonly users: {
    readonly user: {
      readonly "client-certificate-data": string;
      readonly "client-key-data": string;
    };
  }[];
}

/** An event of a watch. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubeObject;
}

/** A small client of a Kubernetes API, for benches: one connection pool, JSON, watches as streams. */
export class Api implements Disposable {
  readonly server: string;
  readonly #client: Deno.HttpClient;

  /** `path` is a kubeconfig with embedded certificates, as hub and agent write it. */
  constructor(path: string) {
    const config = parse(Deno.readTextFileSync(path)) as Kubeconfig;
    const [{ cluster } = { cluster: undefined }] = config.clusters;
    const [{ user } = { user: undefined }] = config.users;
    if (!cluster || !user) throw new AppError("Invalid", `${path} names no cluster or no user`);
    this.server = cluster.server;
    this.#client = Deno.createHttpClient({
      caCerts: [atob(cluster["certificate-authority-data"])],
      cert: atob(user["client-certificate-data"]),
      key: atob(user["client-key-data"]),
    });
  }

  /** @throws {Error} with the server's answer when it is no success */
  // deno-lint-ignore no-explicit-any -- answers of any kind
  async request(method: string, path: string, body?: unknown): Promise<any> {
    using limit = deadline(systemClock, seconds(30), () => new Error(`${path}: no answer in 30 s`));
    const response = await fetch(`${this.server}${path}`, {
      method,
      client: this.#client,
      signal: limit.signal,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const text = await response.text();
    if (!response.ok) {
      throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
    }
    return JSON.parse(text);
  }

  /** Events of a list path until `signal` aborts. */
  async *watch(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const join = path.includes("?") ? "&" : "?";
    const url = `${this.server}${path}${join}watch=true`;
    const response = await fetch(url, { client: this.#client, signal });
    if (!response.ok || !response.body) throw new Error(`watch ${path}: ${response.status}`);
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop() ?? "";
      for (const line of parts) if (line !== "") yield JSON.parse(line) as WatchEvent;
    }
  }

  /** Resolves when an object of a list path fulfils `check`; `limit` in seconds. */
  async until(
    path: string,
    check: (object: KubeObject, type: WatchEvent["type"]) => boolean,
    limit = 30,
  ): Promise<KubeObject> {
    using stop = deadline(
      systemClock,
      seconds(limit),
      () => new Error(`${path}: not as expected within ${limit} s`),
    );
    for await (const { type, object } of this.watch(path, stop.signal)) {
      if (type !== "BOOKMARK" && check(object, type)) return object;
    }
    throw new Error(`the watch of ${path} has ended`);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
