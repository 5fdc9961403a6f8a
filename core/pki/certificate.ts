import { createHash, X509Certificate } from "node:crypto";
import { type Ms, ms } from "../base/mod.ts";
import type { Subject } from "./names.ts";
import { fromPem } from "./pem.ts";

/** How far a certificate of ours starts in the past: gateways' clocks are often behind. */
export const BACKDATE = ms(3_600_000);

/** What a certificate says. */
export interface Certificate {
  readonly subject: Subject;
  readonly notBefore: Ms;
  readonly notAfter: Ms;
  /** When it was signed, to the second, if one of our CAs did it: they date certificates back. */
  readonly issuedAt: Ms;
  /** SHA-256 of the DER form, lower-case hex. */
  readonly fingerprint: string;
  /** Whether it may sign others. */
  readonly isCa: boolean;
  /** Names and addresses it serves, as `DNS:a.b` and `IP:127.0.0.1`. */
  readonly altNames: readonly string[];
}

/**
 * Reads a certificate, PEM (the first block) or DER, without checking who signed it.
 * @throws {TypeError} when it is none
 */
export function readCertificate(source: string | Uint8Array): Certificate {
  const parsed = parse(source);
  const notBefore = Date.parse(parsed.validFrom) as Ms;
  const legacy = parsed.toLegacyObject().subject as unknown as Record<string, unknown>;
  return {
    subject: { commonName: values(legacy.CN).at(-1) ?? "", organizations: values(legacy.O) },
    notBefore,
    notAfter: Date.parse(parsed.validTo) as Ms,
    issuedAt: (notBefore + BACKDATE) as Ms,
    fingerprint: parsed.fingerprint256.replaceAll(":", "").toLowerCase(),
    isCa: parsed.ca,
    altNames: (parsed.subjectAltName ?? "").split(", ").filter((name) => name !== "").map((name) =>
      name.replace("IP Address:", "IP:")
    ),
  };
}

/** Why a certificate is not to be trusted. */
export type Distrust =
  | "unreadable"
  | "other-ca"
  | "bad-signature"
  | "not-yet-valid"
  | "expired";

/** Outcome of {@linkcode verifyCertificate}. */
export type CertificateVerdict =
  | { readonly ok: true; readonly certificate: Certificate }
  | { readonly ok: false; readonly why: Distrust };

/**
 * Checks that `ca` signed `source` and that `now` lies within the dates of both. Every listener
 * asks this after TLS has said yes, because the runtime's own answer was wrong before.
 */
export function verifyCertificate(
  source: string | Uint8Array,
  ca: string,
  now: Ms,
): CertificateVerdict {
  try {
    const subject = parse(source);
    const issuer = parse(ca);
    if (!subject.checkIssued(issuer)) return { ok: false, why: "other-ca" };
    if (!subject.verify(issuer.publicKey)) return { ok: false, why: "bad-signature" };
    for (const one of [readCertificate(source), readCertificate(ca)]) {
      if (now < one.notBefore) return { ok: false, why: "not-yet-valid" };
      if (now > one.notAfter) return { ok: false, why: "expired" };
    }
    return { ok: true, certificate: readCertificate(source) };
  } catch {
    return { ok: false, why: "unreadable" };
  }
}

/** SHA-256 of the DER form of a PEM certificate, lower-case hex: how tokens pin the CA. */
export function fingerprintOf(pem: string): string {
  return readCertificate(pem).fingerprint;
}

/**
 * SHA-256 of the public key (SPKI) of a PEM certificate, lower-case hex, as a request's `keyId`. It
 * stays the same when the certificate is issued anew from the same key.
 */
export function keyIdOf(pem: string): string {
  const spki = parse(pem).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("hex");
}

function parse(source: string | Uint8Array): X509Certificate {
  try {
    const der = typeof source === "string" ? fromPem("CERTIFICATE", source) : source;
    // Node's Buffer type is wider than the plain array that Deno takes as well.
    return new X509Certificate(der as never);
  } catch (cause) {
    throw new TypeError("Cannot read the certificate as it is no X.509", { cause });
  }
}

function values(field: unknown): string[] {
  if (field === undefined) return [];
  return Array.isArray(field) ? field.map(String) : [String(field)];
}

/** When a certificate should be renewed: after two thirds of its life. */
export function renewAt(certificate: string): Ms {
  const { notBefore, notAfter } = readCertificate(certificate);
  return (notBefore + (notAfter - notBefore) * 2 / 3) as Ms;
}
