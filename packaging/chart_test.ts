import assert from "node:assert/strict";
import { parse, parseAllDocuments } from "yaml";
import { partArgs, ROOT } from "../cli/launch.ts";
import { IN_CLUSTER_FILES } from "../core/kube/mod.ts";
import { WEBHOOK_CONFIGURATION, WEBHOOK_PATH } from "../cloud/admission/mod.ts";
import { KUBELET_PORTS } from "../cloud/kubelet/mod.ts";
import { HUB_OPTIONS, parseOptions, VERSION } from "../core/parts/mod.ts";
import { lacks } from "../tools/test/needs.ts";
import { CHART, goldenFiles, readGolden, renderChart, runHelm } from "./chart.ts";

const missing = lacks("helm");
const skipped = missing === undefined ? "" : ` (skipped: ${missing})`;
const ignore = missing !== undefined;
const APP = "/usr/lib/skerry/app";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name}${skipped}`, ignore, fn });
}

// deno-lint-ignore no-explicit-any -- objects of many kinds
async function rendered(name: string): Promise<any[]> {
  return parseAllDocuments(await readGolden(name)).map((one) => one.toJS()).filter(Boolean);
}

// deno-lint-ignore no-explicit-any -- the spec of a pod
function podOf(objects: readonly any[]): any {
  return objects.find(({ kind }) => kind === "Deployment").spec.template.spec;
}

test("helm finds nothing wrong with the chart", async () => {
  const { code, out, err } = await runHelm("lint", [
    ...["--strict", "--namespace=skerry-system", CHART],
  ]);
  assert.equal(code, 0, out + err);
  assert.doesNotMatch(out + err, /WARN|ERROR/);
});

test("the chart renders as it did", async () => {
  for (const [name, text] of await goldenFiles()) {
    assert.equal(text, await readGolden(name), "run: deno run -P=tools packaging/chart.ts");
  }
});

const REFUSED: readonly [values: readonly string[], why: RegExp][] = [
  [["replicas=two"], /\/replicas.*want integer/],
  [["replicas=-1"], /\/replicas.*minimum/],
  [["replicas=2"], /More than one replica needs peerCIDR/],
  [["peerCIDR=anywhere"], /\/peerCIDR/],
  [["impersonation=none"], /\/impersonation.*'constrained', 'legacy'/],
  [["image.repository="], /\/image\/repository/],
  [["image.digest=sha256:12"], /\/image\/digest/],
  [["service.type=ExternalName"], /\/service\/type/],
  [["service.port=0"], /\/service\/port/],
  [["logLevel=loud"], /\/logLevel/],
  // It would be two arguments of another meaning.
  [["advertise[0]=a b"], /\/advertise\/0/],
  [["podLabels.app\\.kubernetes\\.io/name=other"], /podLabels|propertyName/],
  [["serviceMonitor.interval=often"], /\/serviceMonitor\/interval/],
  [["replica=1"], /'replica' not allowed/],
];

test("bad values are refused, with the value that is wrong", async () => {
  for (const [values, why] of REFUSED) {
    const { code, err } = await renderChart(values.map((value) => `--set=${value}`));
    assert.notEqual(code, 0, values.join());
    assert.match(err, why);
  }
});

test("another namespace is refused, and what to say stands there", async () => {
  const { code, err } = await renderChart(["--namespace=default"]);
  assert.notEqual(code, 0);
  assert.match(err, /--namespace skerry-system --create-namespace/);
});

for (const name of ["default.golden.yaml", "all.golden.yaml"]) {
  Deno.test(`${name}: the hub is started as the launcher does it, with the same permissions`, async () => {
    const [{ command, args, workingDir }] = podOf(await rendered(name)).containers;
    const main = args.indexOf(`${APP}/cloud/main.ts`);
    const options = parseOptions(HUB_OPTIONS, args.slice(main + 1));
    assert.equal(options.kubeconfig, "in-cluster");
    const cluster = {
      host: "$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT)",
      files: IN_CLUSTER_FILES,
    };
    const wanted = partArgs({ part: "hub", options, cluster });
    assert.deepEqual(args, wanted.map((arg) => arg.replaceAll(`${ROOT}/`, `${APP}/`)));
    assert.deepEqual(command, ["/usr/lib/skerry/bin/deno"]);
    assert.equal(workingDir, APP);
  });

  Deno.test(`${name}: the pod may do nothing that it need not`, async () => {
    const spec = podOf(await rendered(name));
    assert.equal(spec.hostNetwork, undefined);
    assert.equal(spec.securityContext.runAsNonRoot, true);
    assert.equal(spec.securityContext.seccompProfile.type, "RuntimeDefault");
    const [{ securityContext, volumeMounts }] = spec.containers;
    assert.deepEqual(securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    assert.deepEqual(volumeMounts, [{ name: "state", mountPath: "/var/lib/skerry" }]);
    const dockerfile = await Deno.readTextFile(new URL("./Dockerfile", import.meta.url));
    assert.ok(dockerfile.includes(`--uid ${spec.securityContext.runAsUser} `));
    assert.ok(dockerfile.includes(`WORKDIR ${APP}`));
  });

  Deno.test(`${name}: no hub runs on a gateway, whatever else is asked for`, async () => {
    const { nodeAffinity } = podOf(await rendered(name)).affinity;
    const terms = nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms;
    const noGateway = { key: "node-role.kubernetes.io/edge", operator: "DoesNotExist" };
    for (const { matchExpressions } of terms) {
      assert.deepEqual(matchExpressions.at(-1), noGateway);
    }
  });

  Deno.test(`${name}: no right is a wildcard, or leads to others`, async () => {
    const roles = (await rendered(name)).filter(({ kind }) => /Role$/.test(kind));
    assert.ok(roles.length >= 5);
    for (const { rules } of roles) {
      for (const { apiGroups, resources, verbs } of rules) {
        for (const word of [...apiGroups, ...resources, ...verbs]) {
          assert.doesNotMatch(word, /\*|escalate|bind/);
        }
      }
    }
  });
}

test("by default the hub reads Secrets in its own namespace only", async () => {
  const roles = (await rendered("default.golden.yaml")).filter(({ kind }) => /Role$/.test(kind));
  for (const { kind, metadata, rules } of roles) {
    for (const { resources, verbs } of rules) {
      if (!resources.includes("secrets")) continue;
      const asNode = verbs.every((verb: string) => verb.startsWith("impersonate-on:"));
      assert.ok(asNode || (kind === "Role" && metadata.namespace === "skerry-system"));
    }
  }
});

test("the webhook is where the hub looks for it, and serves what the hub serves", async () => {
  const objects = await rendered("default.golden.yaml");
  const { metadata, webhooks } = objects.find(({ kind }) => /^Mutating/.test(kind));
  assert.equal(metadata.name, WEBHOOK_CONFIGURATION);
  const [{ clientConfig: { service }, failurePolicy }] = webhooks;
  assert.equal(service.path, WEBHOOK_PATH);
  assert.equal(failurePolicy, "Ignore");
  const { args } = podOf(objects).containers[0];
  assert.ok(args.includes(`--advertise=${service.name}.${service.namespace}.svc`));
});

test("ports and versions are those of the hub", async () => {
  const objects = await rendered("default.golden.yaml");
  const [{ ports, image }] = podOf(objects).containers;
  assert.deepEqual(ports.map(({ containerPort }: { containerPort: number }) => containerPort), [
    HUB_OPTIONS["node-port"].fallback,
    HUB_OPTIONS["metrics-port"].fallback,
    HUB_OPTIONS["webhook-port"].fallback,
  ]);
  // No registry is ours to name.
  assert.equal(image, `skerry-hub:${VERSION}`);
  const chart = parse(await Deno.readTextFile(`${CHART}/Chart.yaml`));
  assert.equal(chart.appVersion, VERSION);
  const policy = objects.find(({ kind }) => kind === "NetworkPolicy");
  const kubelets = policy.spec.ingress[1].ports[0];
  const first = HUB_OPTIONS["kubelet-port"].fallback;
  assert.deepEqual([kubelets.port, kubelets.endPort], [first, first + KUBELET_PORTS - 1]);
});
