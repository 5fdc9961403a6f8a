import { AppError, type Clock, deadline, errorText, seconds } from "../base/mod.ts";
import {
  createCsr,
  createKey,
  fingerprintOf,
  isNodeName,
  nodeNameOf,
  nodeSubject,
  readCertificate,
} from "../pki/mod.ts";
import { fetchHubCa } from "./hub_ca.ts";
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

/** Longest answer to a join that is read. */
const ANSWER_CAP = 64 * 1024;

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
      } cannot name a node: use small letters, digits, '-' and '.', at most 63`,
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
  using client = Deno.createHttpClient({ caCerts: [ca] });
  using limit = deadline(
    options.clock,
    seconds(20),
    () => new AppError("ServiceUnavailable", `the hub at ${options.hub} did not answer in 20 s`),
    options.signal,
  );
  let response: Response;
  let text: string;
  try {
    response = await fetch(`https://${options.hub}/join`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      client,
      signal: limit.signal,
    });
    text = await readCapped(response);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("ServiceUnavailable", `Cannot reach the hub at ${options.hub}`, { cause });
  }
  const answer = parseAnswer(text);
  if (response.status === 201 && answer?.certificate) return { certificate: answer.certificate };
  const message = answer?.message ?? `status ${response.status}`;
  const again = response.status === 429 || response.status >= 500;
  throw new AppError(
    again ? "ServiceUnavailable" : "Unauthorized",
    `the hub at ${options.hub} refused to let ${options.name} join: ${message}`,
  );
}

async function readCapped(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > ANSWER_CAP) {
      throw new AppError("ServiceUnavailable", `the hub's answer is over ${ANSWER_CAP} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parseAnswer(text: string): { certificate?: string; message?: string } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch (error) {
    return { message: `an answer that is no JSON (${errorText(error)})` };
  }
}
