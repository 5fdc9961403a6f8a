/** The cluster of a test run: the one of `KUBECONFIG`, else one that is started for the run. */
import { buildKube, KubeCluster, prepareCluster } from "../kube/mod.ts";

/** One cluster for all suites of a run; disposing it leaves nothing of it. */
export class RunCluster implements AsyncDisposable {
  readonly #given: string | undefined;
  readonly #say: (line: string) => void;
  readonly #held = new AsyncDisposableStack();
  #kubeconfig: Promise<string> | undefined;

  /** Starts nothing yet. @param given the user's `KUBECONFIG` */
  constructor(given: string | undefined, say: (line: string) => void) {
    this.#given = given || undefined;
    this.#say = say;
  }

  /**
   * Its kubeconfig; the first who asks has it started and made ready.
   *
   * @throws {Error} when it cannot be started, or a user's cluster may not be used: with the reason
   */
  kubeconfig(): Promise<string> {
    return this.#kubeconfig ??= this.#open();
  }

  async #open(): Promise<string> {
    const kubeconfig = this.#given ?? await this.#start();
    this.#say(`the cluster of this run: ${kubeconfig}`);
    this.#held.use(await prepareCluster(kubeconfig));
    return kubeconfig;
  }

  async #start(): Promise<string> {
    const dir = await Deno.makeTempDir({ prefix: "skerry-kube-" });
    return this.#held.use(await KubeCluster.start(await buildKube(), dir)).kubeconfig;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync();
  }
}
