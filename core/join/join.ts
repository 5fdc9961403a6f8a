import { AppError, type Clock, errorText, isNodeName } from "../base/mod.ts";
import {
  createCsr,
  createKey,
  fingerprintOf,
  nodeNameOf,
  nodeSubject,
  readCertificate,
} from "../pki/mod.ts";
import { fetchHubCa } from "./hub_ca.ts";
import { postToHub } from "./hub_post.ts";
import { ensureKey, type Identity, loadIdentity, saveIdentity } from "./identity.ts";
import { parseToken } from "./token.ts";

/** Options of {@linkcode joinHub}. */
export interface JoinOptions {
  /** `host:port`. */
  readonly hub: string;
  readonly token: string;
  readonly name: string;
  /** Folder of the identity files. */
  readonly folder: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Makes this machine a node: proves the token, gets a certificate, saves both. The hub is trusted
 * only when its CA has the hash that the token names.
 *
 * @throws {AppError} Unauthorized when the hub refuses for good; ServiceUnavailable when it cannot
 * be reached (try again); Forbidden when the CA is not the token's
 */
export async function joinHub(options: JoinOptions): Promise<Identity> {
  if (!isNodeName(options.name)) {
    throw new AppError(
      "BadRequest",
      `${
        JSON.stringify(options.name)
      } cannot name a node: use small letters, digits, '-' and '.', at most 63 (--name NAME)`,
    );
  }
  const token = parseToken(options.token);
  const ca = await fetchHubCa(options.hub, options.clock, options.signal);
  if (fingerprintOf(ca) !== token.caHash) {
    throw new AppError(
      "Forbidden",
      `the hub at ${options.hub} is not the one that made this token: its CA has another hash; check the address`,
    );
  }
  const key = await ensureKey(options.folder, createKey);
  const csr = await createCsr({ subject: nodeSubject(options.name), keyPem: key });
  const answer = await postJoin(options, ca, { token: token.text, csr, node: options.name });
  if (nodeNameOf(readCertificate(answer.certificate).subject) !== options.name) {
    throw new AppError("Forbidden", "the hub answered with a certificate for another node");
  }
  saveIdentity(options.folder, { key, ca, certificate: answer.certificate });
  const identity = loadIdentity(options.folder);
  if (!identity) throw new AppError("InternalError", `nothing was saved in ${options.folder}`);
  return identity;
}

async function postJoin(
  options: JoinOptions,
  ca: string,
  body: unknown,
): Promise<{ certificate: string }> {
  const { hub, clock, signal } = options;
  const { status, text } = await postToHub(hub, "/join", {
    ca,
    body: JSON.stringify(body),
    clock,
    signal,
  });
  const answer = parseAnswer(text);
  if (status === 201 && answer?.certificate) return { certificate: answer.certificate };
  const message = answer?.message ?? `status ${status}`;
  const again = status === 429 || status >= 500;
  throw new AppError(
    again ? "ServiceUnavailable" : "Unauthorized",
    `the hub at ${hub} refused to let ${options.name} join: ${message}`,
  );
}

function parseAnswer(text: string): { certificate?: string; message?: string } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch (error) {
    return { message: `an answer that is no JSON (${errorText(error)})` };
  }
}
