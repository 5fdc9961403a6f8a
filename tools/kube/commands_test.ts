import assert from "node:assert/strict";
import { parse } from "yaml";
import { readCertificate, verifyCertificate } from "../../core/pki/mod.ts";
import { systemClock } from "../../core/base/mod.ts";
import { makeCertificates } from "./certificates.ts";
import { commandOf, COMPONENTS } from "./commands.ts";

const programs = {
  etcd: "/bin/etcd",
  apiserver: "/bin/kube-apiserver",
  controllerManager: "/bin/kube-controller-manager",
  scheduler: "/bin/kube-scheduler",
  kubectl: "/bin/kubectl",
  version: "v1.36.3",
};
const ports = { apiserver: 1, etcd: 2, etcdPeer: 3, controllerManager: 4, scheduler: 5 };

Deno.test("every file that a control plane is started with is made", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await makeCertificates(dir, "https://127.0.0.1:1");
    for (const component of COMPONENTS) {
      for (const word of commandOf(component, { programs, ports, dir }).slice(1)) {
        const [, file] = word.split(`=${dir}/`);
        if (file === undefined || file === "data") continue;
        assert.ok((await Deno.stat(`${dir}/${file}`)).size > 0, word);
      }
    }
    const ca = await Deno.readTextFile(`${dir}/pki/ca.crt`);
    const server = await Deno.readTextFile(`${dir}/pki/apiserver.crt`);
    assert.equal(verifyCertificate(server, ca, systemClock.now()).ok, true);
    assert.ok(readCertificate(server).altNames.includes("IP:127.0.0.1"));
    const { users, clusters } = parse(await Deno.readTextFile(`${dir}/admin.kubeconfig`));
    assert.equal(clusters[0].cluster.server, "https://127.0.0.1:1");
    const admin = readCertificate(atob(users[0].user["client-certificate-data"]));
    assert.deepEqual(admin.subject.organizations, ["system:masters"]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
