/**
 * A private containerd for hand work: prints the path of its CRI socket.
 *
 *     deno run -A tools/containerd/main.ts up [--dir D]
 *     deno run -A tools/containerd/main.ts down [--dir D]
 */
import { removeContainerd, startContainerd } from "./kit.ts";

const DEFAULT_DIR = "/tmp/skerry-containerd";
const USAGE = "usage: main.ts up|down [--dir D]";

async function main(args: readonly string[]): Promise<number> {
  const [verb, flag, dir = DEFAULT_DIR, ...rest] = args;
  const known = (verb === "up" || verb === "down") && (flag === undefined || flag === "--dir");
  if (!known || rest.length > 0 || (flag && args.length < 3)) {
    // deno-lint-ignore no-console -- what the person asked for
    console.error(USAGE);
    return 2;
  }
  if (verb === "down") await removeContainerd(dir);
  else {
    const { socket } = await startContainerd({ dir });
    // deno-lint-ignore no-console -- what the person asked for
    console.log(socket);
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
