/**
 * The PKI room: keys, certificate requests and certificates, for the hub (which signs) and the
 * agent (which asks). What signs loads its library on first use, because an agent needs it only
 * when it joins or renews.
 */
export * from "./certificate.ts";
export * from "./issue.ts";
export * from "./kubeconfig.ts";
export * from "./names.ts";
export * from "./pem.ts";
export * from "./request.ts";
