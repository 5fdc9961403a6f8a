import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Duplex } from "node:stream";
import { hours, ms, type NodeName, systemClock } from "../../core/base/mod.ts";
import {
  CLOSE,
  type Connection,
  createWsDialer,
  LINK,
  loadWsAcceptor,
  MemoryNetwork,
} from "../../core/link/mod.ts";
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

function makeOnce(): Promise<Identities> {
  return identities ??= makeIdentities();
}

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

Deno.test("websocket over mTLS: a frame over the cap, or half a frame, ends only its connection", async () => {
  await using rig = await wsRig();
  const accepted: Connection[] = [];
  rig.acceptor.onConnection((connection) => void accepted.push(connection));
  const { ca, node } = await makeOnce();
  using client = Deno.createHttpClient({ caCerts: [ca], cert: node.certificate, key: node.key });
  const bare = new WebSocket(`wss://${rig.hub}/v1/link`, { client });
  await new Promise((resolve) => bare.onopen = resolve);
  const closed = new Promise<CloseEvent>((resolve) => bare.onclose = resolve);
  bare.send("x".repeat(LINK.frameCap + 1));
  assert.equal((await closed).code, CLOSE.tooLarge);
  assert.equal(await accepted[0]?.receive(), undefined);
  assert.equal((await accepted[0]?.closed)?.code, CLOSE.tooLarge);

  const [hostname = "", port] = rig.hub.split(":");
  const raw = await Deno.connectTls({
    hostname,
    port: Number(port),
    caCerts: [ca],
    cert: node.certificate,
    key: node.key,
    alpnProtocols: ["http/1.1"],
  });
  const head = "GET /v1/link HTTP/1.1\r\nhost: hub\r\nupgrade: websocket\r\n" +
    "connection: upgrade\r\nsec-websocket-version: 13\r\n" +
    "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
  await raw.write(new TextEncoder().encode(head));
  await raw.read(new Uint8Array(1024));
  // A masked text frame that says 100 bytes and brings 4.
  await raw.write(new Uint8Array([0x81, 0xe4, 0, 0, 0, 0, 1, 2, 3, 4]));
  raw.close();
  assert.equal((await accepted[1]?.closed)?.code, CLOSE.broken);
  assert.equal(await accepted[1]?.receive(), undefined);

  const dialled = await rig.dialer.dial("/v1/link", new AbortController().signal);
  await dialled.send("still here");
  assert.equal(await accepted[2]?.receive(), "still here");
});

/** A bare mTLS listener: who the peer is, is read from its certificate only. */
async function wsRig(): Promise<TransportRig & { readonly hub: string }> {
  const { ca, server, node } = await makeOnce();
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
    hub: `127.0.0.1:${port}`,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      acceptor.close(1000, "test over");
      for (const socket of sockets) {
        if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
      }
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
