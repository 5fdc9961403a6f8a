/**
 * The host in the URLs of requests over the runtime's unix socket, and over the runner's. Nothing
 * is ever sent there: the addresses are of the reserved class E. They are literals, because `fetch`
 * looks a name up even when the request goes over a socket, and a resolver that does not answer,
 * which is what a gateway without its network has, would hold up every call for 10 s.
 */
export const CRI_HOST = "240.0.0.1";
/** See {@linkcode CRI_HOST}. */
export const RUNNER_HOST = "240.0.0.2";
