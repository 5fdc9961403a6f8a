import { AppError, type Clock, minutes, type Ms, seconds } from "../../core/base/mod.ts";
import {
  type Attributes,
  type Authenticate,
  type Authorize,
  createAuthenticate,
  type Decision,
  type User,
} from "../../core/http/mod.ts";
import { type KubeClient, reviewAccess, reviewToken } from "../../core/kube/mod.ts";
import { sha256Hex } from "../../core/pki/mod.ts";

/** How long answers of the API server are good; the kubelet's own defaults. */
const TOKEN_GOOD = minutes(2);
const ALLOWED_GOOD = minutes(5);
const DENIED_GOOD = seconds(30);
/** Answers kept; the oldest go first. */
const MAX_KEPT = 1000;

/** Who may call kubelets: as a kubelet asks, TokenReview and SubjectAccessReview, with its caches. */
export function clusterAuth(
  client: KubeClient,
  clock: Clock,
): { readonly authenticate: Authenticate; readonly authorize: Authorize } {
  const tokens = new Kept<User | undefined>(clock);
  const decisions = new Kept<Decision>(clock);
  return {
    authenticate: createAuthenticate({
      async token(token) {
        const key = await sha256Hex(token);
        return await tokens.get(key, () => reviewToken(client, token), () => TOKEN_GOOD);
      },
    }),
    authorize: async (user: User, attributes: Attributes) =>
      await decisions.get(
        JSON.stringify([user, attributes]),
        () => reviewAccess(client, user, attributes),
        ({ allowed }) => allowed ? ALLOWED_GOOD : DENIED_GOOD,
      ),
  };
}

/** Answers that are good for a while. */
class Kept<T> {
  readonly #clock: Clock;
  readonly #kept = new Map<string, { readonly value: T; readonly until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async get(key: string, ask: () => Promise<T>, good: (value: T) => Ms): Promise<T> {
    const known = this.#kept.get(key);
    if (known && this.#clock.monotonic() < known.until) return known.value;
    const value = await ask();
    this.#kept.delete(key);
    this.#kept.set(key, { value, until: this.#clock.monotonic() + good(value) });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    return value;
  }
}

/**
 * The CAs that sign the clients of kubelets, as every extension of an API server learns them.
 *
 * @throws {AppError} NotFound, Forbidden; Invalid when the cluster names none
 */
export async function kubeletClientCa(client: KubeClient): Promise<string> {
  const name = "extension-apiserver-authentication";
  const { data } = await client.call({
    method: "GET",
    path: `/api/v1/namespaces/kube-system/configmaps/${name}`,
  });
  const ca: unknown = data?.["client-ca-file"];
  if (typeof ca === "string" && ca !== "") return ca;
  throw new AppError(
    "Invalid",
    `ConfigMap kube-system/${name} has no client-ca-file: start kube-apiserver with ` +
      "--client-ca-file, so that this hub can tell its API server from others",
  );
}
