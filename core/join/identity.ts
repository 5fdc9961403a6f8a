import { AppError, errorText, type NodeName } from "../base/mod.ts";
import { nodeNameOf, readCertificate } from "../pki/mod.ts";
import { readFile, writeFile } from "./files.ts";

/** What a joined node proves itself with, and whom it trusts. All PEM. */
export interface Identity {
  /** From the certificate; a node has no other name. */
  readonly node: NodeName;
  readonly certificate: string;
  readonly key: string;
  /** The hub's CA, pinned when the node joined. */
  readonly ca: string;
}

const FILES = { key: "node.key", certificate: "node.crt", ca: "ca.crt" } as const;

/**
 * The identity in `folder`, or `undefined` when the node has not joined.
 *
 * @throws {AppError} Invalid when the files are there but cannot be used
 */
export function loadIdentity(folder: string): Identity | undefined {
  const certificate = readFile(`${folder}/${FILES.certificate}`);
  const key = readFile(`${folder}/${FILES.key}`);
  const ca = readFile(`${folder}/${FILES.ca}`);
  if (certificate === undefined || key === undefined || ca === undefined) return undefined;
  let node: NodeName | undefined;
  try {
    node = nodeNameOf(readCertificate(certificate).subject);
  } catch (cause) {
    throw new AppError(
      "Invalid",
      `Cannot use ${folder}/${FILES.certificate} (${errorText(cause)}): restore it from a copy, ` +
        `or remove ${folder} and join again with a token`,
    );
  }
  if (node === undefined) {
    throw new AppError(
      "Invalid",
      `${folder}/${FILES.certificate} is no node's certificate: remove ${folder} and join again`,
    );
  }
  return { node, certificate, key, ca };
}

/** The key for a join: kept across tries, so that a lost answer can be asked for again. */
export async function ensureKey(folder: string, create: () => Promise<string>): Promise<string> {
  const found = readFile(`${folder}/${FILES.key}`);
  if (found !== undefined) return found;
  const key = await create();
  writeFile(folder, FILES.key, key);
  return key;
}

/** Saves an identity. The certificate comes last: it is what says that the node has joined. */
export function saveIdentity(folder: string, identity: Omit<Identity, "node">): void {
  writeFile(folder, FILES.key, identity.key);
  writeFile(folder, FILES.ca, identity.ca);
  writeFile(folder, FILES.certificate, identity.certificate);
}
