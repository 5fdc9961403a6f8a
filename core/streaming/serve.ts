import type { Pod } from "../api/mod.ts";
import { AppError } from "../base/mod.ts";
import type { Upgrade } from "../http/mod.ts";
import { type Ends, type EndsRim, joinChannels } from "./channel.ts";
import { type Carrying, planUpgrade, type UpgradeOffer } from "./offer.ts";
import { unwrapPortForward } from "./port_tunnel.ts";
import { translateRemoteCommand } from "./remote_command.ts";
import type { Upgraded } from "./runtime_upgrade.ts";
import type { StreamTarget } from "./target.ts";

/**
 * Opens a stream to a pod's runtime.
 * @throws {AppError} whose words go to the client
 */
export type DialPod = (
  pod: Pod,
  target: StreamTarget,
  offer: UpgradeOffer,
  signal: AbortSignal,
) => Promise<Upgraded>;

/** One client's wish for a stream. */
export interface StreamWish {
  readonly headers: Headers;
  /** Absent when the client asked for no upgrade. */
  readonly upgrade: Upgrade | undefined;
  readonly target: StreamTarget;
}

/**
 * Serves exec, attach or port-forward to whatever client Kubernetes has, and resolves when the
 * stream is over. The answer is sent only when the client's connection was not handed over.
 *
 * @throws {AppError} BadRequest for an upgrade that is none, and what `dial` throws
 */
export async function serveStream(
  { headers, upgrade, target }: StreamWish,
  dial: (offer: UpgradeOffer) => Promise<Upgraded>,
  rim: EndsRim,
): Promise<Response> {
  const plan = planUpgrade(headers, target.kind);
  if (!upgrade) throw new AppError("BadRequest", "Upgrade request required");
  const { protocol, channel: server } = await dial(plan.offer);
  let ends: Ends;
  try {
    ends = { client: upgrade.accept(await plan.answer(protocol)), server };
  } catch (error) {
    server.close();
    throw error;
  }
  await carry(plan.carrying, ends, target, rim);
  return new Response();
}

function carry(how: Carrying, ends: Ends, target: StreamTarget, rim: EndsRim): Promise<void> {
  if (how === "unwrap") return unwrapPortForward(ends, rim);
  if (how === "remote-command" && target.kind === how) {
    return translateRemoteCommand(ends, target, rim);
  }
  return joinChannels(ends, { ...rim, hangsUp: target.kind === "remote-command" });
}
