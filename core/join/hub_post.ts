import { type IncomingMessage } from "node:http";
import { request } from "node:https";
import { AppError, type Clock, deadline, seconds } from "../base/mod.ts";
import { splitHub } from "./hub_ca.ts";

/** An answer of the hub. */
export interface HubAnswer {
  readonly status: number;
  readonly text: string;
}

/** Longest answer to a join that is read. */
const ANSWER_CAP = 64 * 1024;

/**
 * Sends a JSON body to the hub, which must hold a certificate of `ca`. By which name it is reached
 * does not matter here: the CA signs for this hub alone, and a hub behind a public address learns
 * that address from this very request.
 *
 * @throws {AppError} ServiceUnavailable when the hub cannot be reached or is another one
 */
export async function postToHub(
  hub: string,
  path: string,
  options: {
    readonly ca: string;
    readonly body: string;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<HubAnswer> {
  const { hostname, port } = splitHub(hub);
  using limit = deadline(
    options.clock,
    seconds(20),
    () => new AppError("ServiceUnavailable", `the hub at ${hub} did not answer in 20 s`),
    options.signal,
  );
  const answer = Promise.withResolvers<HubAnswer>();
  const outgoing = request({
    host: hostname,
    port,
    path,
    method: "POST",
    headers: {
      "host": hub,
      "content-type": "application/json",
      "content-length": new TextEncoder().encode(options.body).length,
    },
    ca: [options.ca],
    checkServerIdentity: () => undefined,
    agent: false,
  });
  const onAbort = (): void => {
    outgoing.destroy();
    answer.reject(limit.signal.reason);
  };
  limit.signal.addEventListener("abort", onAbort, { once: true });
  outgoing.on("response", (message) => readAnswer(message).then(answer.resolve, answer.reject));
  outgoing.on("error", (cause) => {
    answer.reject(new AppError("ServiceUnavailable", `Cannot reach the hub at ${hub}`, { cause }));
  });
  outgoing.end(options.body);
  try {
    return await answer.promise;
  } finally {
    limit.signal.removeEventListener("abort", onAbort);
    outgoing.destroy();
  }
}

async function readAnswer(message: IncomingMessage): Promise<HubAnswer> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of message as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > ANSWER_CAP) {
      throw new AppError("ServiceUnavailable", `the hub's answer is over ${ANSWER_CAP} bytes`);
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return { status: message.statusCode ?? 0, text: text + decoder.decode() };
}
