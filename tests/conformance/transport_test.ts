import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Duplex } from "node:stream";
import { hours, ms, type NodeName, systemClock } from "../../core/base/mod.ts";
import { createWsDialer, loadWsAcceptor, MemoryNetwork } from "../../core/link/mod.ts";
import {
  createKey,
  type Credential,
  fingerprintOf,
  issueCa,
  issueCertificate,
  loadKeyPair,
  nodeSubject,
} from "../../core/pki/mod.ts";
import { transportConformance, type TransportRig } from "./transport.ts";

transportConformance("memory", () => Promise.resolve(memoryRig()));
transportConformance("memory with latency", () => Promise.resolve(memoryRig(1)));
transportConformance("websocket over mTLS", wsRig);

function memoryRig(latency?: number): TransportRig {
  const network = new MemoryNetwork({
    clock: systemClock,
    ...(latency ? { latency: () => ms(latency) } : {}),
  });
  return {
    acceptor: network,
    dialer: network.dialer({ name: "n1", fingerprint: "f1", remote: "test" }),
    node: "n1",
    cut: () => network.cut("n1"),
    [Symbol.asyncDispose]: () => {
      network[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

interface Identities {
  readonly ca: string;
  readonly server: Credential;
  readonly node: Credential;
}

let identities: Promise<Identities> | undefined;

async function makeIdentities(): Promise<Identities> {
  const now = systemClock.now();
  const lifetime = hours(1);
  const caKey = await createKey();
  const ca = {
    key: caKey,
    certificate: await issueCa({ keyPem: caKey, commonName: "test CA", now, lifetime }),
  };
  const issue = async (use: "client" | "server"): Promise<Credential> => {
    const key = await createKey();
    const { publicKey } = await loadKeyPair(key);
    const certificate = await issueCertificate({
      ca,
      subject: use === "client"
        ? nodeSubject("n1" as NodeName)
        : { commonName: "hub", organizations: [] },
      publicKey,
      use,
      altNames: use === "server" ? ["127.0.0.1", "localhost"] : [],
      now,
      lifetime,
    });
    return { certificate, key };
  };
  return { ca: ca.certificate, server: await issue("server"), node: await issue("client") };
}

/** A bare mTLS listener: who the peer is, is read from its certificate only. */
async function wsRig(): Promise<TransportRig> {
  const { ca, server, node } = await (identities ??= makeIdentities());
  const acceptor = await loadWsAcceptor();
  const listener = createServer({
    key: server.key,
    cert: server.certificate,
    ca: [ca],
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.3",
  });
  const sockets = new Set<Duplex>();
  listener.on("upgrade", (request, socket, head) => {
    sockets.add(socket);
    const certificate = (socket as TLSSocket).getPeerCertificate();
    const name = String(certificate.subject.CN).replace("system:node:", "");
    const peer = { name, fingerprint: fingerprintOf(node.certificate), remote: "test" };
    acceptor.upgrade(request, socket, head, peer);
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  const dialer = createWsDialer({
    hub: `127.0.0.1:${port}`,
    credentials: () => ({ ca, cert: node.certificate, key: node.key }),
    clock: systemClock,
  });
  return {
    acceptor,
    dialer,
    node: "n1",
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      acceptor.close(1000, "test over");
      for (const socket of sockets) {
        if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
      }
      await new Promise((resolve) => listener.close(resolve));
      dialer[Symbol.dispose]();
    },
  };
}
