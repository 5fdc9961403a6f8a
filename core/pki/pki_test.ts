import assert from "node:assert/strict";
import https from "node:https";
import { isAppError, type Ms, type NodeName } from "../base/mod.ts";
import {
  createCsr,
  createKey,
  fingerprintOf,
  issueCa,
  issueCertificate,
  keyIdOf,
  loadKeyPair,
  nodeNameOf,
  nodeSubject,
  readCertificate,
  readCsr,
  toPem,
  verifyCertificate,
} from "./mod.ts";

const NOW = Date.UTC(2026, 5, 1) as Ms;
const DAY = 86_400_000 as Ms;

async function newCa(commonName = "skerry-ca", now = NOW) {
  const key = await createKey();
  const certificate = await issueCa({
    keyPem: key,
    commonName,
    now,
    lifetime: 3650 * DAY as Ms,
  });
  return { key, certificate };
}

async function newNode(ca: { key: string; certificate: string }, name: string, now = NOW) {
  const key = await createKey();
  const subject = nodeSubject(name as NodeName);
  const request = await readCsr(await createCsr({ subject, keyPem: key }));
  const certificate = await issueCertificate({
    ca,
    subject: request.subject,
    publicKey: request.publicKey,
    use: "client",
    now,
    lifetime: 90 * DAY as Ms,
  });
  return { key, certificate };
}

Deno.test("issueCertificate() signs a node certificate that verifyCertificate() accepts", async () => {
  const ca = await newCa();
  const node = await newNode(ca, "gw-1");
  const verdict = verifyCertificate(node.certificate, ca.certificate, NOW);
  assert.ok(verdict.ok);
  assert.equal(nodeNameOf(verdict.certificate.subject), "gw-1");
  assert.equal(verdict.certificate.notAfter, NOW + 90 * DAY);
  assert.equal(verdict.certificate.isCa, false);
  assert.equal(verdict.certificate.fingerprint, fingerprintOf(node.certificate));
});

Deno.test("keyIdOf() is of a certificate's key, as readCsr() tells it", async () => {
  const node = await newNode(await newCa(), "gw-1");
  const csr = await createCsr({
    subject: { commonName: "another", organizations: [] },
    keyPem: node.key,
  });
  assert.equal(keyIdOf(node.certificate), (await readCsr(csr)).keyId);
  assert.notEqual(keyIdOf(node.certificate), keyIdOf((await newCa()).certificate));
});

Deno.test("verifyCertificate() tells why a certificate is not good", async () => {
  const ca = await newCa();
  const other = await newCa();
  const node = await newNode(ca, "gw-1");
  const at = (now: number) => verifyCertificate(node.certificate, ca.certificate, now as Ms);
  assert.deepEqual(at(NOW + 91 * DAY), { ok: false, why: "expired" });
  assert.deepEqual(at(NOW - DAY), { ok: false, why: "not-yet-valid" });
  // The same name of the issuer, another key: only the signature tells.
  const forged = verifyCertificate(node.certificate, other.certificate, NOW);
  assert.deepEqual(forged.ok, false);
  const named = verifyCertificate(
    node.certificate,
    (await newCa("someone-else")).certificate,
    NOW,
  );
  assert.deepEqual(named, { ok: false, why: "other-ca" });
  assert.deepEqual(verifyCertificate("rubbish", ca.certificate, NOW), {
    ok: false,
    why: "unreadable",
  });
  assert.deepEqual(verifyCertificate(new Uint8Array(40), ca.certificate, NOW), {
    ok: false,
    why: "unreadable",
  });
});

Deno.test("readCsr() refuses what is no CSR, is changed, or has another kind of key", async () => {
  const good = await createCsr({
    subject: nodeSubject("gw-1" as NodeName),
    keyPem: await createKey(),
  });
  const der = Uint8Array.fromBase64(good.replace(/-----[^-]+-----|\s/g, ""));
  const flipped = der.slice();
  // A byte of the subject: the signature no longer fits.
  flipped[45] = (flipped[45] ?? 0) ^ 1;
  const rsa = await rsaCsr();
  const nested = new Uint8Array(12_000).fill(0x30);
  const bad = [
    "",
    "rubbish",
    "-----BEGIN CERTIFICATE REQUEST-----\n!!!\n-----END CERTIFICATE REQUEST-----",
    toPem("CERTIFICATE REQUEST", der.subarray(0, 60)),
    toPem("CERTIFICATE REQUEST", flipped),
    toPem("CERTIFICATE REQUEST", nested),
    toPem("CERTIFICATE REQUEST", crypto.getRandomValues(new Uint8Array(500))),
    rsa,
    `${good}${" ".repeat(20_000)}`,
  ];
  for (const text of bad) {
    await assert.rejects(readCsr(text), (error) => isAppError(error, "BadRequest"));
  }
  assert.equal((await readCsr(good)).subject.commonName, "system:node:gw-1");
});

async function rsaCsr(): Promise<string> {
  await import("reflect-metadata");
  const { Pkcs10CertificateRequestGenerator } = await import("@peculiar/x509");
  const algorithm = {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength: 2048,
  };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const csr = await Pkcs10CertificateRequestGenerator.create({
    name: "CN=system:node:gw-1",
    keys,
    signingAlgorithm: algorithm,
  });
  return csr.toString("pem");
}

Deno.test("nodeNameOf() takes only exact node subjects", () => {
  const name = (commonName: string, ...organizations: string[]) =>
    nodeNameOf({ commonName, organizations });
  assert.equal(name("system:node:gw-1.site", "system:nodes"), "gw-1.site");
  assert.equal(name("system:node:gw-1", "system:nodes", "system:masters"), undefined);
  assert.equal(name("system:node:gw-1"), undefined);
  assert.equal(name("system:node:", "system:nodes"), undefined);
  assert.equal(name("system:node:GW", "system:nodes"), undefined);
  assert.equal(name(`system:node:${"a".repeat(64)}`, "system:nodes"), undefined);
  assert.equal(name("gw-1", "system:nodes"), undefined);
});

Deno.test("certificates of issueCertificate() carry a TLS connection with both sides proved", async () => {
  const now = Date.now() as Ms;
  const ca = await newCa("skerry-ca", now);
  const key = await createKey();
  const { publicKey } = await loadKeyPair(key);
  const certificate = await issueCertificate({
    ca,
    subject: { commonName: "skerry-hub", organizations: [] },
    publicKey,
    use: "server",
    altNames: ["localhost", "127.0.0.1", "::1"],
    now,
    lifetime: DAY,
  });
  assert.deepEqual(readCertificate(certificate).altNames, [
    "DNS:localhost",
    "IP:127.0.0.1",
    "IP:::1",
  ]);
  const node = await newNode(ca, "gw-1", now);
  const server = https.createServer(
    { cert: certificate, key, ca: ca.certificate, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      const socket = request.socket as unknown as {
        getPeerCertificate(): { raw: Uint8Array };
      };
      response.end(readCertificate(socket.getPeerCertificate().raw).subject.commonName);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const client = Deno.createHttpClient({
    caCerts: [ca.certificate],
    cert: node.certificate,
    key: node.key,
    http2: false,
  });
  try {
    const answer = await fetch(`https://127.0.0.1:${port}/`, { client });
    assert.equal(await answer.text(), "system:node:gw-1");
  } finally {
    client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
