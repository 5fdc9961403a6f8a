/**
 * A signal that aborts with the first of `signals`, until it is disposed of. By hand, because
 * `AbortSignal.any` stays registered with long-lived signals for as long as they live.
 */
export function linkSignals(
  ...signals: readonly AbortSignal[]
): Disposable & { readonly signal: AbortSignal } {
  const linked = new AbortController();
  const ends = signals.map((signal) => {
    const onAbort = (): void => linked.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    return (): void => signal.removeEventListener("abort", onAbort);
  });
  return {
    signal: linked.signal,
    [Symbol.dispose]: () => {
      for (const end of ends) end();
    },
  };
}
