import { AppError } from "../base/mod.ts";
import { ALGORITHM, altNamesExtension, distinguishedName, loadLibrary } from "./library.ts";
import type { Subject } from "./names.ts";
import { fromPem, sha256Hex, toPem } from "./pem.ts";

/** The longest CSR that is read, in characters; ours have about 500. */
const CSR_MAX = 16 * 1024;

/** A certificate request whose signature proves that the sender holds the key. */
export interface CertificateRequest {
  readonly subject: Subject;
  readonly publicKey: CryptoKey;
  /** SHA-256 of the public key (SPKI), lower-case hex: tells one key from another. */
  readonly keyId: string;
}

/** Makes an EC P-256 key. Returns it as PKCS #8 PEM: keep it secret, mode 0600. */
export async function createKey(): Promise<string> {
  const pair = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  return toPem(
    "PRIVATE KEY",
    new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey)),
  );
}

/**
 * Both halves of a private key in PEM.
 * @throws {TypeError} when it is no EC P-256 key in PKCS #8
 */
export async function loadKeyPair(pem: string): Promise<CryptoKeyPair> {
  try {
    const der = fromPem("PRIVATE KEY", pem);
    const privateKey = await crypto.subtle.importKey("pkcs8", der, ALGORITHM, true, ["sign"]);
    const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", privateKey);
    const half = { kty, crv, x, y } as JsonWebKey;
    const publicKey = await crypto.subtle.importKey("jwk", half, ALGORITHM, true, ["verify"]);
    return { privateKey, publicKey };
  } catch (cause) {
    throw new TypeError("Cannot read the private key as it is no EC P-256 key in PKCS #8 PEM", {
      cause,
    });
  }
}

/**
 * Asks for a certificate for `subject` with the key `keyPem`, for a server for `altNames` (addresses
 * and DNS names). Returns a PEM CSR (PKCS #10).
 */
export async function createCsr(
  options: { subject: Subject; keyPem: string; altNames?: readonly string[] },
): Promise<string> {
  const library = await loadLibrary();
  const request = await library.Pkcs10CertificateRequestGenerator.create({
    name: distinguishedName(options.subject),
    keys: await loadKeyPair(options.keyPem),
    signingAlgorithm: ALGORITHM,
    extensions: options.altNames ? [altNamesExtension(library, options.altNames)] : [],
  }, crypto);
  return `${request.toString("pem")}\n`;
}

/**
 * Reads a CSR from outside and checks its signature.
 * @throws {AppError} BadRequest when it cannot be read, is not EC P-256, or is not signed by its own key
 */
export async function readCsr(pem: string): Promise<CertificateRequest> {
  if (pem.length > CSR_MAX) {
    throw new AppError("BadRequest", `the CSR has more than ${CSR_MAX} characters`);
  }
  const library = await loadLibrary();
  try {
    const request = new library.Pkcs10CertificateRequest(fromPem("CERTIFICATE REQUEST", pem));
    const publicKey = await request.publicKey.export(ALGORITHM, ["verify"], crypto);
    if (!await request.verify(crypto)) throw new TypeError("its signature is wrong");
    const spki = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
    return {
      subject: {
        commonName: request.subjectName.getField("CN").at(-1) ?? "",
        organizations: request.subjectName.getField("O"),
      },
      publicKey,
      keyId: await sha256Hex(spki),
    };
  } catch (cause) {
    throw new AppError(
      "BadRequest",
      "the CSR cannot be used: send PKCS #10 in PEM, signed with its own EC P-256 key",
      { cause },
    );
  }
}
