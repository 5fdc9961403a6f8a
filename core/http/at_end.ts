/**
 * The same answer; `leave` is called when its body has been read to its end, failed or been given
 * up, and at once when it has none.
 */
export function atEnd(response: Response, leave: () => void): Response {
  if (response.body === null) {
    leave();
    return response;
  }
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const part = await reader.read();
        if (part.done) {
          leave();
          controller.close();
        } else controller.enqueue(part.value);
      } catch (error) {
        leave();
        controller.error(error);
      }
    },
    async cancel(reason) {
      leave();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
  const { status, headers } = response;
  return new Response(body, { status, headers });
}
