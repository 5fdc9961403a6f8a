import type { TLSSocket } from "node:tls";
import type { Ms } from "../base/mod.ts";
import { verifyCertificate } from "../pki/mod.ts";
import type { PeerCertificate } from "./types.ts";

/**
 * The certificate that the other end of a TLS connection has proved to hold, or `undefined`.
 *
 * Both must say yes: the runtime (`authorized`) and our own check of signature and dates against
 * `clientCa`. The runtime once said yes to clients that had never been asked for a certificate.
 *
 * @param clientCa one or more PEM certificates
 */
export function peerOf(socket: TLSSocket, clientCa: string, now: Ms): PeerCertificate | undefined {
  if (socket.authorized !== true) return undefined;
  const raw: Uint8Array | undefined = socket.getPeerCertificate()?.raw;
  if (!raw || raw.byteLength === 0) return undefined;
  for (const ca of pemBlocks(clientCa)) {
    const verdict = verifyCertificate(new Uint8Array(raw), ca, now);
    if (!verdict.ok) continue;
    const { subject: { commonName, organizations }, fingerprint, issuedAt } = verdict.certificate;
    const serialNumber = socket.getPeerCertificate().serialNumber ?? "";
    return { commonName, organizations, fingerprint, issuedAt, serialNumber };
  }
  return undefined;
}

/** The single certificates of a PEM text. */
export function pemBlocks(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
}
