import assert from "node:assert/strict";
import { parse, parseAllDocuments } from "yaml";
import { partArgs, ROOT } from "../cli/launch.ts";
import { IN_CLUSTER_FILES } from "../core/kube/mod.ts";
import { WEBHOOK_CONFIGURATION, WEBHOOK_PATH } from "../cloud/admission/mod.ts";
import { KUBELET_PORTS } from "../cloud/kubelet/mod.ts";
import { hostAndPort } from "../core/base/mod.ts";
import { HUB_OPTIONS, type HubOptions, parseOptions, VERSION } from "../core/parts/mod.ts";
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

/**
 * The hub's options in the arguments of its container, after Kubernetes has filled in addresses;
 * with these it is started as the launcher starts it, with the same permissions.
 */
function startedAsByLauncher(
  given: readonly string[],
  at: { readonly pod: string; readonly server: string },
): HubOptions {
  const env = {
    POD_IP: at.pod,
    KUBERNETES_SERVICE_HOST: at.server,
    KUBERNETES_SERVICE_PORT: "443",
  };
  const args = given.map((arg) =>
    Object.entries(env).reduce((text, [name, value]) => text.replaceAll(`$(${name})`, value), arg)
  );
  const options = parseOptions(HUB_OPTIONS, args.slice(args.indexOf(`${APP}/cloud/main.ts`) + 1));
  const cluster = { host: hostAndPort(at.server, 443), files: IN_CLUSTER_FILES };
  const wanted = partArgs({ part: "hub", options, cluster });
  assert.deepEqual(args, wanted.map((arg) => arg.replaceAll(`${ROOT}/`, `${APP}/`)));
  return options;
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
  [["replicas=2", "ipFamily=IPv6", "peerCIDR=10.0.0.0/8"], /needs IPv4 addresses of pods/],
  [["ipFamily=IPv5"], /\/ipFamily.*'IPv4', 'IPv6'/],
  [["service.ipFamilyPolicy=Both"], /\/service\/ipFamilyPolicy/],
  [["peerCIDR=anywhere"], /peerCIDR must be a range .* e\.g\. 10\.244\.0\.0\/16: it is anywhere/],
  [["peerCIDR=10.244.0.256/16"], /peerCIDR must be a range .*: it is 10\.244\.0\.256\/16/],
  [["peerCIDR=10.244.0.0/33"], /peerCIDR must be a range/],
  [["peerCIDR=10.244.0.0"], /peerCIDR must be a range/],
  [
    ["service.loadBalancerSourceRanges[0]=300.1.1.0/24"],
    /service\.loadBalancerSourceRanges must name ranges .*: one of them is 300\.1\.1\.0\/24/,
  ],
  [
    ["networkPolicy.apiServer[0].ipBlock.cidr=10.0.0.1"],
    /networkPolicy\.apiServer must name ranges .*: one of them is 10\.0\.0\.1/,
  ],
  [["resources.limits.memory=1 GB"], /resources\.limits\.memory must be a quantity.* is 1 GB/],
  [["resources.requests.cpu=-1"], /resources\.requests\.cpu must be a quantity/],
  [["impersonation=none"], /\/impersonation.*'constrained', 'legacy'/],
  [["image.repository="], /\/image\/repository/],
  [["image.digest=sha256:12"], /\/image\/digest/],
  [["service.type=ExternalName"], /\/service\/type/],
  [["service.port=0"], /\/service\/port.*minimum: got 0, want 1/],
  [["service.port=70000"], /\/service\/port.*maximum/],
  [["service.nodePort=0"], /\/service\/nodePort.*minimum/],
  [["service.nodePort=70000"], /\/service\/nodePort.*maximum/],
  [["drainSeconds=601"], /\/drainSeconds.*maximum/],
  [["podDisruptionBudget.maxUnavailable=0%"], /\/podDisruptionBudget\/maxUnavailable/],
  [["serviceMonitor.interval=0s"], /\/serviceMonitor\/interval/],
  [["advertise[0]=hub.example.test:10000"], /\/advertise\/0/],
  [["image.tag=-rc"], /\/image\/tag/],
  [["logLevel=loud"], /\/logLevel/],
  // It would be two arguments of another meaning.
  [["advertise[0]=a b"], /\/advertise\/0/],
  [["podLabels.app\\.kubernetes\\.io/name=other"], /podLabels|propertyName/],
  [["serviceMonitor.interval=often"], /\/serviceMonitor\/interval/],
  [["prometheusRule.runbooks=somewhere"], /\/prometheusRule\/runbooks/],
  [["dashboard.labels.grafana_dashboard=0"], /dashboard\/labels|propertyName/],
  [["replica=1"], /'replica' not allowed/],
];

test("bad values are refused, with the value that is wrong", async () => {
  for (const [values, why] of REFUSED) {
    const { code, err } = await renderChart(values.map((value) => `--set=${value}`));
    assert.notEqual(code, 0, values.join());
    assert.match(err, why);
  }
});

test("what Kubernetes takes is not refused", async () => {
  for (
    const values of [
      ["peerCIDR=255.255.255.0/24", "service.nodePort=30000", "drainSeconds=0", "replicas=0"],
      ["advertise[0]=2001:db8::7", "advertise[1]=::1", "advertise[2]=hub"],
      ["service.loadBalancerSourceRanges[0]=2001:db8:1:2:3:4:5::/112", "service.nodePort=32767"],
      ["resources.limits.memory=1e9", "resources.requests.cpu=0.5", "resources.limits.cpu=2"],
      ["networkPolicy.metrics[0].ipBlock.cidr=10.0.0.0/8", "serviceMonitor.interval=90s"],
    ]
  ) {
    const { code, err } = await renderChart(values.map((value) => `--set=${value}`));
    assert.equal(code, 0, err);
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
    const options = startedAsByLauncher(args, { pod: "10.244.1.9", server: "10.96.0.1" });
    assert.equal(options.kubeconfig, "in-cluster");
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

test("with IPv6 the permissions hold the addresses that Kubernetes fills in", async () => {
  const { out } = await renderChart(["--set=ipFamily=IPv6"]);
  const objects = parseAllDocuments(out).map((one) => one.toJS()).filter(Boolean);
  const { args } = podOf(objects).containers[0];
  const options = startedAsByLauncher(args, { pod: "fd00::9", server: "fd00:1::1" });
  assert.equal(options["kubelet-address"], "fd00::9");
});

test("the dashboard and the alerts are those that lie beside them", async () => {
  const objects = await rendered("all.golden.yaml");
  const { data, metadata } = objects.find(({ metadata: { name } }) => /dashboard/.test(name));
  assert.equal(metadata.labels["grafana_dashboard"], "1");
  const dashboard = await Deno.readTextFile(`${CHART}/dashboards/skerry-hub.json`);
  assert.deepEqual(JSON.parse(data["skerry-hub.json"]), JSON.parse(dashboard));
  const { spec } = objects.find(({ kind }) => kind === "PrometheusRule");
  const alerts = await Deno.readTextFile(`${CHART}/alerts/skerry.yaml`);
  const base = "https://git.example.test/skerry/blob/main/docs/";
  assert.deepEqual(spec, parse(alerts.replaceAll("runbook_url: docs/", `runbook_url: ${base}`)));
  for (const { metadata: { name } } of await rendered("default.golden.yaml")) {
    assert.doesNotMatch(name, /dashboard/, "it is asked for");
  }
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
