import { AppError, isAppError, minutes } from "../core/base/mod.ts";
import { optionsHelp, parseOptions } from "../core/parts/mod.ts";
import { TOKEN_LIMITS } from "../core/tokens/mod.ts";
import { type ApiClient, KUBECONFIG_OPTION, openClient } from "./client.ts";
import { say } from "./say.ts";
import { openOut } from "./token_file.ts";
import { table } from "./table.ts";
import { tokenDesk } from "./token_desk.ts";

const CREATE = {
  ...KUBECONFIG_OPTION,
  node: {
    help: "node name or pattern (* and ?) that the token is for",
    value: "NAME",
    fallback: "",
  },
  ttl: {
    help: "minutes until the token expires",
    value: "MINUTES",
    fallback: 60,
    range: [TOKEN_LIMITS.ttl[0] / minutes(1), TOKEN_LIMITS.ttl[1] / minutes(1)] as const,
  },
  uses: {
    help: "how many nodes may join with it",
    value: "N",
    fallback: 1,
    range: TOKEN_LIMITS.uses,
  },
  "unless-joined": { help: "make none when the node is there already", fallback: false },
  replace: {
    help: "may take over the name of a node that has joined before: for a gateway that joins " +
      "again with a new key, e.g. set up anew or in place of a broken one",
    fallback: false,
  },
  out: {
    help: "file to write the token to (0600) instead of printing it",
    value: "FILE",
    fallback: "",
  },
} as const;
const REVOKE = {
  ...KUBECONFIG_OPTION,
  id: { help: "id of the token", value: "ID", fallback: "" },
} as const;
/** What `token create --unless-joined` prints when it made none. */
export const ALREADY_JOINED = "the node has joined already";

/** `skerry token create|list|revoke`. */
export async function runToken(args: readonly string[]): Promise<void> {
  const [verb, ...rest] = args;
  if (rest.includes("--help") || verb === undefined || verb === "--help") {
    const usage = "deno task skerry token create|list|revoke [options]";
    return say(optionsHelp(usage, { ...CREATE, ...REVOKE }));
  }
  switch (verb) {
    case "create":
      return await createToken(rest);
    case "list":
      return await listTokens(rest);
    case "revoke":
      return await revokeToken(rest);
    default:
      throw new AppError("BadRequest", `token ${verb}: say create, list or revoke`);
  }
}

async function createToken(args: readonly string[]): Promise<void> {
  const options = parseOptions(CREATE, args);
  if (options.node === "") {
    throw new AppError("BadRequest", "say which node the token is for: --node NAME (or a pattern)");
  }
  using client = await openClient(options.kubeconfig);
  if (options["unless-joined"] && await hasNode(client, options.node)) return say(ALREADY_JOINED);
  const { node, ttl, uses, replace } = options;
  const desk = await tokenDesk(client);
  const make = (): Promise<string> => desk.create({ node, ttl: minutes(ttl), uses, replace });
  if (options.out === "") return say(await make());
  using file = openOut(options.out);
  await file.write(await make());
}

async function hasNode(client: ApiClient, name: string): Promise<boolean> {
  try {
    await client.request("GET", `/api/v1/nodes/${encodeURIComponent(name)}`);
    return true;
  } catch (error) {
    if (isAppError(error, "NotFound")) return false;
    throw error;
  }
}

async function listTokens(args: readonly string[]): Promise<void> {
  using client = await openClient(parseOptions(KUBECONFIG_OPTION, args).kubeconfig);
  const items = await (await tokenDesk(client)).list();
  say(table(
    ["ID", "NODE", "EXPIRES", "USES LEFT", "STATE"],
    items.map((item) => [item.id, item.node, item.expires, String(item.usesLeft), item.state]),
  ));
}

async function revokeToken(args: readonly string[]): Promise<void> {
  const named = args[0] !== undefined && !args[0].startsWith("-")
    ? [`--id=${args[0]}`, ...args.slice(1)]
    : args;
  const options = parseOptions(REVOKE, named);
  if (options.id === "") {
    throw new AppError("BadRequest", "say which token: skerry token revoke ID");
  }
  using client = await openClient(options.kubeconfig);
  await (await tokenDesk(client)).revoke(options.id);
  say(`token ${options.id} revoked`);
}
