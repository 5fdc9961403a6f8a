import {
  type Clock,
  errorText,
  isAppError,
  type Logger,
  minutes,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import { type KubeClient, OBJECT } from "../../core/kube/mod.ts";

/** The MutatingWebhookConfiguration that the chart installs. */
export const WEBHOOK_CONFIGURATION = "skerry-hub";
const PATH =
  `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${WEBHOOK_CONFIGURATION}`;
/** Somebody may apply the chart again, which knows no CA. */
const LOOK = minutes(1);

/** Options of {@linkcode webhookService}. */
export interface WebhookOptions {
  readonly client: KubeClient;
  /** PEM of the CA that signs this hub. */
  readonly ca: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Tells API servers by which CA they know this hub, in the configuration that the chart has made.
 * Where there is none, pods are not changed.
 */
export function webhookService(options: WebhookOptions): Service {
  const { clock, log } = options;
  return {
    name: "webhook-configuration",
    onFailure: "restart",
    async run(signal, ready) {
      let told = false;
      while (!signal.aborted) {
        try {
          await writeCa(options);
        } catch (error) {
          if (!isAppError(error)) throw error;
          const fields = { name: WEBHOOK_CONFIGURATION, error: errorText(error) };
          const quiet = told || isAppError(error, "NotFound");
          log[quiet ? "debug" : "warn"]("no webhook for pods that are to stay", fields);
          told = true;
        }
        ready();
        await sleep(clock, LOOK, signal).catch(() => {});
      }
    },
  };
}

async function writeCa({ client, ca }: WebhookOptions): Promise<void> {
  const caBundle = new TextEncoder().encode(ca).toBase64();
  const { metadata, webhooks = [] } = await client.call({
    method: "GET",
    path: PATH,
    shape: OBJECT,
  });
  const differs = webhooks.some((one: Webhook) => one.clientConfig.caBundle !== caBundle);
  if (!differs) return;
  const all = webhooks.map((one: Webhook) => ({
    ...one,
    clientConfig: { ...one.clientConfig, caBundle },
  }));
  await client.call({
    method: "PATCH",
    path: PATH,
    type: "application/merge-patch+json",
    body: { metadata: { resourceVersion: metadata.resourceVersion }, webhooks: all },
  });
}

interface Webhook {
  readonly clientConfig: { readonly caBundle?: string };
}
