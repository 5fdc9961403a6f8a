import assert from "node:assert/strict";
import { seconds, systemClock } from "../core/base/mod.ts";
import { freePort } from "../tools/free_port.ts";
import { lines, ROOT } from "./launch.ts";

Deno.test("a hub sends its telemetry to a collector when OTEL_DENO says so, without more rights", async () => {
  const stateDir = await Deno.makeTempDir();
  const sent = Promise.withResolvers<string>();
  await using collector = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const { resourceMetrics } = await request.json();
      const attributes: { key: string; value: { stringValue?: string } }[] =
        resourceMetrics?.[0]?.resource?.attributes ?? [];
      const name = attributes.find(({ key }) => key === "service.name")?.value.stringValue;
      // The launcher itself has telemetry too.
      if (name === "skerry-hub") sent.resolve(new URL(request.url).pathname);
      return Response.json({});
    },
  );
  const [nodes, api, kubelet, metrics] = Array.from({ length: 4 }, freePort);
  const launcher = new Deno.Command(Deno.execPath(), {
    cwd: ROOT,
    args: [
      ...["run", "--quiet", "--no-prompt", "-P=launcher", `--allow-run=${Deno.execPath()}`],
      ...["cli/node.ts", "hub", `--state-dir=${stateDir}`, "--node-address=127.0.0.1"],
      ...[`--node-port=${nodes}`, `--api-port=${api}`, `--kubelet-port=${kubelet}`],
      `--metrics-port=${metrics}`,
    ],
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
      OTEL_METRIC_EXPORT_INTERVAL: "500",
    },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  try {
    let ready = false;
    for await (const line of lines(launcher.stdout)) {
      ready = line === "hub is ready";
      if (ready) break;
    }
    assert.ok(ready, "the hub did not start");
    using _limit = systemClock.timer(seconds(60), () => sent.reject(new Error("nothing came")));
    assert.equal(await sent.promise, "/v1/metrics");
  } finally {
    launcher.kill("SIGTERM");
    await launcher.status;
    await Deno.remove(stateDir, { recursive: true });
  }
});
