/**
 * The same bytes, until `signal` aborts: then whoever reads gets its reason at once, and the
 * connection is given up.
 *
 * `fetch` promises that for its own signal, but Deno 2.9 forgets the signal as soon as the `Response`
 * is collected, while its body is still being read: a watch of a server that stands still would
 * then be deaf for ever.
 *
 * `ended` is called once, when nothing more comes.
 */
export function heeding(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  ended: () => void = () => {},
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let stop = (): void => {};
  let over = false;
  const forget = (): void => {
    signal.removeEventListener("abort", stop);
    if (!over) ended();
    over = true;
  };
  return new ReadableStream({
    start(controller) {
      stop = () => {
        forget();
        controller.error(signal.reason);
        reader.cancel(signal.reason).catch(() => {/* it had ended */});
      };
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
    },
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        // The stream has ended with the signal's reason already.
        if (signal.aborted) return;
        if (!done) return controller.enqueue(value);
        forget();
        controller.close();
      } catch (error) {
        forget();
        throw error;
      }
    },
    async cancel(reason) {
      forget();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
