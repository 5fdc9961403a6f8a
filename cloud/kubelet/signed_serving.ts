import {
  AppError,
  type Clock,
  errorText,
  hours,
  isAppError,
  type Logger,
  ms,
  type NodeName,
  type Service,
  sleep,
} from "../../core/base/mod.ts";
import { asNode, type ImpersonationMode, type KubeClient, OBJECT } from "../../core/kube/mod.ts";
import { conditionOf, RESOURCES } from "../../core/api/mod.ts";
import { createCsr, createKey, type Credential, nodeSubject, renewAt } from "../../core/pki/mod.ts";

/** Options of {@linkcode requestServing}. */
export interface SignedServingOptions {
  readonly client: KubeClient;
  readonly mode: ImpersonationMode;
  /** Where API servers call kubelets: an IP address or a DNS name. */
  readonly address: string;
  readonly clock: Clock;
  readonly log: Logger;
}

const CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
/** The node that the certificate speaks for; there is none of that name. */
const NAME = "skerry-hub" as NodeName;
const SIGNER = "kubernetes.io/kubelet-serving";
/** A cluster that signs does so within a second. */
const TRIES = 50;
const PAUSE = ms(200);
const LIFETIME_SECONDS = 90 * 24 * 3600;

/**
 * Has the cluster sign a serving certificate for kubelets, and approves it: so an API server that
 * verifies its kubelets (`--kubelet-certificate-authority`) accepts this hub. One serves all nodes,
 * as what is verified is the address.
 *
 * @throws {AppError} Unsupported when the cluster does not sign, and what the API server refuses
 */
export async function requestServing(options: SignedServingOptions): Promise<Credential> {
  const { client, mode, address, clock } = options;
  const key = await createKey();
  const csr = await createCsr({ subject: nodeSubject(NAME), keyPem: key, altNames: [address] });
  const as = asNode(NAME, mode)("write", RESOURCES.nodes);
  const made = await client.call({
    method: "POST",
    path: CSRS,
    shape: OBJECT,
    ...(as ? { as } : {}),
    body: {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { generateName: "skerry-hub-kubelet-" },
      spec: {
        request: new TextEncoder().encode(csr).toBase64(),
        signerName: SIGNER,
        usages: ["digital signature", "server auth"],
        expirationSeconds: LIFETIME_SECONDS,
      },
    },
  });
  const path = `${CSRS}/${made.metadata.name}`;
  const approved = {
    type: "Approved",
    status: "True",
    reason: "SkerryKubeletDoor",
    message: "the hub serves the kubelets of its nodes at this address",
  };
  await client.call({
    method: "PUT",
    path: `${path}/approval`,
    body: { ...made, status: { ...made.status, conditions: [approved] } },
  });
  for (let tries = 0; tries < TRIES; tries++) {
    const { status } = await client.call({ method: "GET", path });
    if (status?.certificate) {
      return {
        certificate: new TextDecoder().decode(Uint8Array.fromBase64(status.certificate)),
        key,
      };
    }
    const failed = conditionOf({ status }, "Failed");
    if (failed) throw new AppError("Unsupported", `the cluster refuses to sign: ${failed.message}`);
    await sleep(clock, PAUSE);
  }
  throw new AppError(
    "Unsupported",
    `nobody signs CertificateSigningRequests for ${SIGNER} in this cluster`,
  );
}

/** The certificate that kubelets serve with: signed by the cluster, or else by the hub. */
export class KubeletServing {
  readonly #options: SignedServingOptions;
  readonly #fallback: () => Credential;
  readonly #install: (credential: Credential) => void;
  #signed: Credential | undefined;

  constructor(
    options: SignedServingOptions,
    fallback: () => Credential,
    install: (credential: Credential) => void,
  ) {
    this.#options = options;
    this.#fallback = fallback;
    this.#install = install;
  }

  /** The certificate to serve with now. */
  get current(): Credential {
    return this.#signed ?? this.#fallback();
  }

  /** Keeps the certificate good; ready once it is known whether the cluster signs. */
  service(): Service {
    const { clock, log } = this.#options;
    return {
      name: "kubelet-certificate",
      onFailure: "restart",
      run: async (signal, ready) => {
        while (!signal.aborted) {
          await this.#renew();
          ready();
          const due = this.#signed ? renewAt(this.#signed.certificate) - clock.now() : hours(1);
          await sleep(clock, ms(Math.max(1000, due)), signal).catch(() => {});
        }
        log.debug("kubelet certificate is not kept any more");
      },
    };
  }

  async #renew(): Promise<void> {
    const { log, address } = this.#options;
    try {
      this.#signed = await requestServing(this.#options);
    } catch (error) {
      if (!isAppError(error, "Unsupported", "Forbidden", "NotFound")) throw error;
      log.warn(
        "the cluster signs no certificate for kubelets here: API servers that verify their " +
          "kubelets (--kubelet-certificate-authority) will refuse logs and exec",
        { address, error: errorText(error) },
      );
    }
    this.#install(this.current);
  }
}
