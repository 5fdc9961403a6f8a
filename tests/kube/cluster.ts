import { ms, sleep, systemClock, systemRandom } from "../../core/base/mod.ts";
import { RESOURCES } from "../../core/api/mod.ts";
import { KubeClient, readEndpoint, RemoteStore } from "../../core/kube/mod.ts";
import { mustRun } from "../../tools/containerd/mod.ts";
import {
  buildKube,
  KubeCluster,
  type KubeClusterOptions,
  untilServed,
} from "../../tools/kube/mod.ts";

/** A control plane for one test file, and a store on it with all rights. */
export class TestCluster implements AsyncDisposable {
  readonly parts: KubeCluster;
  readonly client: KubeClient;
  readonly store: RemoteStore;

  private constructor(parts: KubeCluster, client: KubeClient) {
    this.parts = parts;
    this.client = client;
    this.store = new RemoteStore({ client, clock: systemClock, random: systemRandom });
  }

  /** Starts it in a folder of its own. */
  static async start(options: KubeClusterOptions = {}): Promise<TestCluster> {
    const dir = await Deno.makeTempDir();
    const parts = await KubeCluster.start(await buildKube(), dir, options);
    const endpoint = await readEndpoint(parts.kubeconfig);
    const client = new KubeClient({ endpoint, clock: systemClock, random: systemRandom });
    return new TestCluster(parts, client);
  }

  /** Installs what the chart installs: the kinds that a hub and its users need. They are served then. */
  async applyCrds(): Promise<void> {
    const folder = new URL("../../charts/skerry/crds", import.meta.url).pathname;
    const { kubectl } = this.parts.programs;
    await mustRun(kubectl, [
      `--kubeconfig=${this.parts.kubeconfig}`,
      ...["apply", "--server-side", "-f", folder],
    ]);
    await untilServed(this.client);
  }

  /** Path of the CA that signed the API server and signs kubelets. */
  get ca(): string {
    return `${this.parts.dir}/pki/ca.crt`;
  }

  /** Applies an object as administrator. */
  async apply(object: unknown): Promise<void> {
    const child = new Deno.Command(this.parts.programs.kubectl, {
      args: [
        `--kubeconfig=${this.parts.kubeconfig}`,
        `--cache-dir=${this.parts.dir}/cache`,
        ...["apply", "--server-side", "-f", "-"],
      ],
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(object)));
    await writer.close();
    const { success, stderr } = await child.output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }

  /** Calls a kubelet as the API server does. @throws {Error} with what it answered */
  async askKubelet(host: string, path: string): Promise<string> {
    const { dir } = this.parts;
    const read = (name: string): Promise<string> => Deno.readTextFile(`${dir}/pki/${name}`);
    using client = Deno.createHttpClient({
      caCerts: [await read("ca.crt")],
      cert: await read("kubelet-client.crt"),
      key: await read("kubelet-client.key"),
    });
    const response = await fetch(`https://${host}${path}`, { client });
    const text = await response.text();
    if (!response.ok) throw new Error(`${host}${path} answered ${response.status}: ${text}`);
    return text;
  }

  /** Waits until a namespace has the service account without which no pod is let in. */
  async untilPodsCanBeMade(namespace: string): Promise<void> {
    const resource = RESOURCES.serviceaccounts;
    while (!(await this.store.list(resource, { namespace })).items.length) {
      await sleep(systemClock, ms(20));
    }
  }

  /** Ends all of it and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    await this.parts[Symbol.asyncDispose]();
  }
}
