import { isIP } from "node:net";

import type { SubjectAlternativeNameExtension } from "@peculiar/x509";

type Library = typeof import("@peculiar/x509");

let loading: Promise<Library> | undefined;

/** What every key and signature here is: EC P-256 with SHA-256. */
export const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** Loads the X.509 library on first use; it costs memory that an idle agent need not pay. */
export function loadLibrary(): Promise<Library> {
  loading ??= (async () => {
    // The library's dependency injection needs the metadata API before it is read.
    await import("reflect-metadata");
    return await import("@peculiar/x509");
  })();
  return loading;
}

/** A distinguished name in the library's JSON form, which needs no escaping. */
export function distinguishedName(
  subject: { readonly commonName: string; readonly organizations: readonly string[] },
): Record<string, string[]>[] {
  return [...subject.organizations.map((O) => ({ O: [O] })), { CN: [subject.commonName] }];
}

/** The names and addresses that a server is reached by. */
export function altNamesExtension(
  library: Library,
  names: readonly string[],
): SubjectAlternativeNameExtension {
  return new library.SubjectAlternativeNameExtension(
    names.map((value) => ({ type: isIP(value) === 0 ? "dns" as const : "ip" as const, value })),
  );
}
