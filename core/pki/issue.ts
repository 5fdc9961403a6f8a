import type { Ms } from "../base/mod.ts";
import { BACKDATE } from "./certificate.ts";
import { ALGORITHM, altNamesExtension, distinguishedName, loadLibrary } from "./library.ts";
import type { Subject } from "./names.ts";
import { loadKeyPair } from "./request.ts";

/** A certificate and the private key that belongs to it, both PEM. */
export interface Credential {
  readonly certificate: string;
  readonly key: string;
}

/** What a certificate is for. */
export type CertificateUse = "client" | "server";

/** Options of {@linkcode issueCertificate}. */
export interface IssueOptions {
  readonly ca: Credential;
  readonly subject: Subject;
  /** The holder's key: from its CSR, or from {@linkcode loadKeyPair}. */
  readonly publicKey: CryptoKey;
  readonly use: CertificateUse;
  /** DNS names and IP addresses. @default {none} */
  readonly altNames?: readonly string[];
  readonly now: Ms;
  readonly lifetime: Ms;
}

/** Makes a new certificate authority with `keyPem`. Returns the PEM certificate. */
export async function issueCa(
  options: { keyPem: string; commonName: string; now: Ms; lifetime: Ms },
): Promise<string> {
  const library = await loadLibrary();
  const keys = await loadKeyPair(options.keyPem);
  const { KeyUsageFlags } = library;
  const certificate = await library.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: distinguishedName({ commonName: options.commonName, organizations: [] }),
    notBefore: new Date(options.now - BACKDATE),
    notAfter: new Date(options.now + options.lifetime),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new library.BasicConstraintsExtension(true, 0, true),
      new library.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await library.SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto),
    ],
  }, crypto);
  return `${certificate.toString("pem")}\n`;
}

/** Signs a certificate with the CA. Returns it as PEM. */
export async function issueCertificate(options: IssueOptions): Promise<string> {
  const library = await loadLibrary();
  const issuer = new library.X509Certificate(options.ca.certificate);
  const { privateKey } = await loadKeyPair(options.ca.key);
  const { altNames = [] } = options;
  const use = options.use === "client" ? "clientAuth" : "serverAuth";
  const extensions = [
    new library.BasicConstraintsExtension(false, undefined, true),
    new library.KeyUsagesExtension(library.KeyUsageFlags.digitalSignature, true),
    new library.ExtendedKeyUsageExtension([library.ExtendedKeyUsage[use]]),
    await library.SubjectKeyIdentifierExtension.create(options.publicKey, false, crypto),
    await library.AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, crypto),
    ...(altNames.length > 0 ? [altNamesExtension(library, altNames)] : []),
  ];
  const certificate = await library.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: distinguishedName(options.subject),
    issuer: issuer.subjectName.toJSON(),
    notBefore: new Date(options.now - BACKDATE),
    notAfter: new Date(options.now + options.lifetime),
    publicKey: options.publicKey,
    signingKey: privateKey,
    signingAlgorithm: ALGORITHM,
    extensions,
  }, crypto);
  return `${certificate.toString("pem")}\n`;
}

/** 127 random bits, positive and never zero, as RFC 5280 4.1.2.2 asks. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toHex();
}
