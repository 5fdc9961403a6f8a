import { AppError, type Clock, errorText, type Logger, seconds } from "../core/base/mod.ts";
import { probeInChild } from "./cache/mod.ts";
import { type EngineSettings, type ProbeResult, settingsToTry } from "./engine/mod.ts";

/** Settings that were tried on this machine, and what the library is. */
export interface ChosenEngine {
  readonly settings: EngineSettings;
  readonly probe: ProbeResult;
}

/**
 * Finds settings that work on this machine: each is tried in a process of its own, because wrong
 * ones (too much address space for a small ARM board, say) abort a process.
 *
 * @throws {AppError} Unsupported when the library is at fault
 */
export async function chooseEngine(
  library: string,
  wanted: EngineSettings,
  options: { readonly clock: Clock; readonly log: Logger; readonly signal: AbortSignal },
): Promise<ChosenEngine> {
  let last: unknown;
  for (const settings of settingsToTry(wanted)) {
    try {
      const probe = await probeInChild(library, settings, { ...options, timeout: seconds(60) });
      return { settings, probe };
    } catch (error) {
      if (options.signal.aborted) throw options.signal.reason;
      if (error instanceof AppError && error.code !== "InternalError") throw error;
      if (error instanceof Deno.errors.NotCapable) {
        throw new AppError(
          "Unsupported",
          `the runner may not start its compiler: add --allow-run=${Deno.execPath()}`,
          { cause: error },
        );
      }
      options.log.warn("engine settings do not work here, trying smaller ones", {
        allocation: settings.allocation,
        slots: settings.slots,
        error: errorText(error),
      });
      last = error;
    }
  }
  throw new AppError(
    "Unsupported",
    `libwasmtime at ${library} makes no engine on this machine: ${errorText(last)}`,
    { cause: last },
  );
}
