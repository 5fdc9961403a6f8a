/** An HTTP client that closes when its last call has ended. */
export class Connection {
  readonly client: Deno.HttpClient;
  #uses = 0;
  #closing = false;

  constructor(client: Deno.HttpClient) {
    this.client = client;
  }

  /** Keeps it open until the result is disposed of. */
  use(): Disposable {
    this.#uses++;
    return {
      [Symbol.dispose]: () => {
        if (--this.#uses === 0 && this.#closing) this.client.close();
      },
    };
  }

  /** Closes it once nobody uses it. */
  close(): void {
    this.#closing = true;
    if (this.#uses === 0) this.client.close();
  }
}
