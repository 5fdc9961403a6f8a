import { parse } from "yaml";
import { AppError, deadline, errorText, seconds, systemClock } from "../core/base/mod.ts";
import { STATE_ROOT } from "../core/parts/mod.ts";

/** The kubeconfig that the hub writes for its administrator, below the state folder. */
export const ADMIN_KUBECONFIG = `${STATE_ROOT}/hub/admin.kubeconfig`;

/** The option that every verb has which talks to the hub. */
export const KUBECONFIG_OPTION = {
  kubeconfig: {
    help: `kubeconfig of the hub's API (default: $KUBECONFIG, else ${ADMIN_KUBECONFIG})`,
    value: "FILE",
    fallback: "",
  },
} as const;

/**
 * Which kubeconfig counts: the one given, else the first of `KUBECONFIG` that exists, else the
 * administrator's. When none of `KUBECONFIG` exists, its first, so that the error names it.
 */
export function chooseKubeconfig(
  given: string,
  environment: string | undefined,
  exists: (path: string) => boolean,
): string {
  if (given !== "") return given;
  const paths = (environment ?? "").split(":").filter((path) => path !== "");
  return paths.find(exists) ?? paths[0] ?? ADMIN_KUBECONFIG;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** A small client of the hub's API. */
export interface ApiClient extends Disposable {
  /** SHA-256 pinning needs the CA that the kubeconfig trusts, PEM. */
  readonly ca: string;
  /** Sends a request. @throws {AppError} with the server's own message */
  request(
    method: string,
    path: string,
    body?: unknown,
    contentType?: string,
    // deno-lint-ignore no-explicit-any -- answers of any kind
  ): Promise<any>;
}

interface Kubeconfig {
  "current-context"?: string;
  contexts?: { name: string; context: { cluster: string; user: string } }[];
  clusters?: {
    name: string;
    cluster: { server: string; "certificate-authority-data"?: string };
  }[];
  users?: {
    name: string;
    user: {
      "client-certificate-data"?: string;
      "client-key-data"?: string;
      token?: string;
    };
  }[];
}

/**
 * A client for the current context of a kubeconfig with embedded certificates, as the hub writes it.
 * `""` is the one that {@linkcode chooseKubeconfig} finds.
 *
 * @throws {AppError} NotFound, Invalid
 */
export function openClient(kubeconfig: string): ApiClient {
  const path = kubeconfig || chooseKubeconfig("", Deno.env.get("KUBECONFIG"), isFile);
  const config = readKubeconfig(path);
  const context = config.contexts?.find((item) => item.name === config["current-context"])?.context;
  const cluster = config.clusters?.find((item) => item.name === context?.cluster)?.cluster;
  const user = config.users?.find((item) => item.name === context?.user)?.user;
  const ca = decode(cluster?.["certificate-authority-data"]);
  if (!cluster || !user || ca === "") {
    throw new AppError("Invalid", `${path} has no complete current context`);
  }
  const cert = decode(user["client-certificate-data"]);
  const key = decode(user["client-key-data"]);
  const client = Deno.createHttpClient({ caCerts: [ca], ...(cert && key ? { cert, key } : {}) });
  return {
    ca,
    async request(method, url, body, contentType = "application/json") {
      using limit = deadline(
        systemClock,
        seconds(30),
        () => new AppError("Timeout", `${cluster.server} did not answer in 30 s`),
      );
      let response: Response;
      let text: string;
      try {
        response = await fetch(`${cluster.server}${url}`, {
          method,
          client,
          signal: limit.signal,
          headers: {
            accept: "application/json",
            ...(body === undefined ? {} : { "content-type": contentType }),
            ...(user.token ? { authorization: `Bearer ${user.token}` } : {}),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        text = await response.text();
      } catch (cause) {
        throw cause instanceof AppError ? cause : new AppError(
          "ServiceUnavailable",
          `Cannot reach the hub at ${cluster.server}: is it running?`,
          { cause },
        );
      }
      const answer = text === "" ? undefined : JSON.parse(text);
      if (response.ok) return answer;
      const code = response.status === 404
        ? "NotFound"
        : response.status === 409
        ? "Conflict"
        : "BadRequest";
      throw new AppError(code, answer?.message ?? `status ${response.status}`);
    },
    [Symbol.dispose]: () => client.close(),
  };
}

function readKubeconfig(path: string): Kubeconfig {
  try {
    return parse(Deno.readTextFileSync(path)) as Kubeconfig;
  } catch (cause) {
    throw new AppError(
      "NotFound",
      `Cannot read the kubeconfig ${path}: start the hub first or name another with --kubeconfig (${
        errorText(cause)
      })`,
    );
  }
}

function decode(base64: string | undefined): string {
  return base64 === undefined ? "" : new TextDecoder().decode(Uint8Array.fromBase64(base64));
}
