import { errorText, isAppError } from "../core/base/mod.ts";
import { STATE_ROOT } from "../core/parts/mod.ts";
import { type ApiClient, openClient } from "./client.ts";

/** Where an agent leaves the kubeconfig of its own API, when its state is where it is by default. */
export const LOCAL_KUBECONFIG = `${STATE_ROOT}/agent/api/kubeconfig`;

/** One line of `skerry check`. */
export interface CheckLine {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
}

const WHERE = `the agent writes it at its start: ${LOCAL_KUBECONFIG}, or api/kubeconfig in its ` +
  "--state-dir (/var/lib/skerry/agent/api/kubeconfig with Skerry's systemd units)";
const START = "start the agent (systemctl start skerry-agent, or deno task agent), or name the " +
  `right kubeconfig with --kubeconfig; ${WHERE}`;

/** What the agent found; without an agent that is all there is to say. Never throws. */
export async function askAgent(kubeconfig: string): Promise<CheckLine[]> {
  const agent = (ok: boolean, message: string): CheckLine => ({ name: "agent", ok, message });
  try {
    using client = await openClient(kubeconfig, START);
    try {
      const { checks } = await client.request("GET", "/skerry/v1/check");
      return [agent(true, `answers, by ${kubeconfig}`), ...checks];
    } catch (error) {
      const whose = await whoseElse(client, error);
      if (whose !== undefined) return [agent(false, notAnAgents(kubeconfig, whose))];
      return [agent(false, `does not answer: ${errorText(error)}: ${START}`)];
    }
  } catch (error) {
    const start = isAppError(error, "NotFound") ? "" : `: ${START}`;
    return [agent(false, `cannot be asked: ${errorText(error)}${start}`)];
  }
}

/** Whose API it is when it is certainly no agent's. */
async function whoseElse(client: ApiClient, error: unknown): Promise<string | undefined> {
  const { server } = client.endpoint;
  const answer = await client.request("GET", "/version").catch(() => undefined);
  const version = String(answer?.gitVersion ?? "");
  // Every agent serves the path to whoever has its kubeconfig, and has a version of Skerry.
  const refused = isAppError(error, "NotFound", "Forbidden", "MethodNotAllowed");
  if (refused || (version !== "" && !version.includes("skerry"))) {
    return `the API of a cluster or a hub, ${server}${version && ` (${version})`}`;
  }
  const { hostname } = new URL(server);
  const here = /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(hostname);
  return here ? undefined : `${server}, which is not on this machine (${errorText(error)})`;
}

function notAnAgents(kubeconfig: string, whose: string): string {
  return `${kubeconfig} is no agent's: it names ${whose}. check runs on the gateway and asks its ` +
    `agent: leave --kubeconfig out, or name the agent's; ${WHERE}. What the cluster knows of its ` +
    `gateways says: deno task skerry status --kubeconfig ${kubeconfig}`;
}
