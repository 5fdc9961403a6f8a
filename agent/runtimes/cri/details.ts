import type { RuntimeDetails } from "../runtime.ts";

/**
 * Reads the verbose part of CRI `Status`: JSON texts whose form is each runtime's own. What
 * containerd says is known; what is not there, or not as expected, is left out.
 */
export function parseDetails(info: Readonly<Record<string, string>>): RuntimeDetails {
  const config = readJson(info["config"]);
  const cni = readJson(info["cniconfig"]);
  const sandboxImage = text(config["sandboxImage"]);
  const configDir = text(cni["PluginConfDir"]) ?? text(record(config["cni"])["confDir"]);
  const status = info["lastCNILoadStatus"];
  return {
    ...(sandboxImage === undefined ? {} : { sandboxImage }),
    ...(configDir === undefined ? {} : {
      cni: {
        configDir,
        binDirs: binDirs(cni, config),
        plugins: [...new Set(pluginTypes(cni))],
        subnets: [...new Set(subnets(cni))],
        ...(status === undefined || status === "OK" ? {} : { problem: status }),
      },
    }),
  };
}

function binDirs(cni: Json, config: Json): string[] {
  const single = text(record(config["cni"])["binDir"]);
  const dirs = list(cni["PluginDirs"]).map(text).filter((one) => one !== undefined);
  return dirs.length > 0 ? dirs : single === undefined ? [] : [single];
}

/** The plugins that the loaded networks name; the runtime has loopback built in or beside them. */
function pluginTypes(cni: Json): string[] {
  return pluginsOf(cni).flatMap((plugin) => {
    const inner = record(plugin["Network"]);
    return [text(inner["type"]), text(record(inner["ipam"])["type"])]
      .filter((one) => one !== undefined);
  });
}

/** The ranges of addresses that the loaded networks give out, as `host-local` has them. */
function subnets(cni: Json): string[] {
  return pluginsOf(cni).flatMap((plugin) => {
    const ipam = record(readJson(text(plugin["Source"]))["ipam"]);
    return [ipam, ...list(ipam["ranges"]).flatMap(list)].map((one) => text(record(one)["subnet"]))
      .filter((one) => one !== undefined);
  });
}

function pluginsOf(cni: Json): Json[] {
  return list(cni["Networks"])
    .flatMap((network) => list(record(record(network)["Config"])["Plugins"])).map(record);
}

type Json = Readonly<Record<string, unknown>>;

function readJson(source: string | undefined): Json {
  try {
    return record(JSON.parse(source ?? "{}"));
  } catch {
    return {};
  }
}

function record(value: unknown): Json {
  return typeof value === "object" && value !== null ? value as Json : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
