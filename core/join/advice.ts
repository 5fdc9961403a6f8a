/** How the hub's reason to shut a node out begins when another key holds its name now. */
export const NAME_TAKEN = "another identity has taken this name";

/**
 * What a person does to let a node in, for the first time or again: on whichever machine has a
 * kubeconfig of the cluster (or of a hub with an API of its own), then on the gateway.
 *
 * @param options `reason`: why the hub has shut the node out, if it has
 */
export function joinAdvice(
  { node, hub, reason = "" }: {
    readonly node: string;
    readonly hub: string;
    readonly reason?: string | undefined;
  },
): string {
  // Any other token is refused while somebody else holds the name.
  const replace = reason.includes(NAME_TAKEN) ? " --replace" : "";
  return `with the kubeconfig of the cluster (or of the hub) say "deno task skerry token create ` +
    `--node ${node}${replace}"; then on this gateway stop the agent and say "deno task agent --hub ${hub} ` +
    `--token TOKEN" with the options that it has else, or with Skerry's systemd units put the token ` +
    `in /etc/skerry/token and say "systemctl restart skerry-agent"`;
}
