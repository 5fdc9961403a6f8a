import { type Credential, readCertificate } from "../../core/pki/mod.ts";

/** When the certificate of `serving` ends, in seconds since 1970; each is read once. */
export function expiryOf(serving: () => Credential): () => number {
  let known: { readonly certificate: string; readonly at: number } | undefined;
  return () => {
    const { certificate } = serving();
    if (known?.certificate !== certificate) {
      known = { certificate, at: readCertificate(certificate).notAfter / 1000 };
    }
    return known.at;
  };
}
