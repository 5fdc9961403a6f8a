import type { Credential } from "./issue.ts";

/**
 * The text of a kubeconfig with one cluster, one user and one context: JSON, which is YAML too.
 * It holds a private key: write it with mode 0600.
 */
export function kubeconfigText(
  options: { ca: { certificate: string }; server: string; cluster: string; credential: Credential },
): string {
  const { ca, server, cluster, credential } = options;
  const base64 = (text: string): string => new TextEncoder().encode(text).toBase64();
  const user = `${cluster}-admin`;
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{
      name: cluster,
      cluster: { server, "certificate-authority-data": base64(ca.certificate) },
    }],
    users: [{
      name: user,
      user: {
        "client-certificate-data": base64(credential.certificate),
        "client-key-data": base64(credential.key),
      },
    }],
    contexts: [{ name: cluster, context: { cluster, user } }],
    "current-context": cluster,
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
