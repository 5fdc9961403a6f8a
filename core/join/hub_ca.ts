import { connect } from "node:tls";
import {
  AppError,
  type Clock,
  deadline,
  type HostPort,
  seconds,
  splitHostPort,
} from "../base/mod.ts";
import { toPem } from "../pki/mod.ts";

/**
 * Asks the hub for its CA certificate: the last one of the chain that it shows. Nothing is verified
 * here and nothing is sent; the caller checks the hash that the token pins.
 *
 * @throws {AppError} ServiceUnavailable when the hub cannot be reached or shows no CA
 */
export async function fetchHubCa(
  hub: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<string> {
  const { hostname, port } = splitHub(hub);
  using limit = deadline(
    clock,
    seconds(10),
    () => new AppError("ServiceUnavailable", `the hub at ${hub} did not answer in 10 s`),
    signal,
  );
  const socket = connect({ host: hostname, port, rejectUnauthorized: false });
  try {
    return await new Promise<string>((resolve, reject) => {
      limit.signal.addEventListener("abort", () => reject(limit.signal.reason), { once: true });
      if (limit.signal.aborted) reject(limit.signal.reason);
      socket.once("error", (cause: Error) => {
        reject(new AppError("ServiceUnavailable", `Cannot reach the hub at ${hub}`, { cause }));
      });
      socket.once("secureConnect", () => {
        const leaf = socket.getPeerCertificate(true);
        const issuer = leaf?.issuerCertificate;
        if (!issuer?.raw || issuer.raw.equals(leaf.raw)) {
          reject(new AppError("ServiceUnavailable", `${hub} is no Skerry hub: it shows no CA`));
        } else resolve(toPem("CERTIFICATE", new Uint8Array(issuer.raw)));
      });
    });
  } finally {
    socket.destroy();
  }
}

/** Where a hub is. @throws {AppError} BadRequest when it is no `host:port` */
export function splitHub(hub: string): HostPort {
  const found = splitHostPort(hub);
  if (found) return found;
  throw new AppError("BadRequest", `${JSON.stringify(hub)} is no hub address: say HOST:PORT`);
}
