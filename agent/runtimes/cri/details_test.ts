import { deepStrictEqual } from "node:assert/strict";
import { parseDetails } from "./details.ts";

const plugin = (type: string, ipam = ""): object => ({ Network: { type, ipam: { type: ipam } } });

Deno.test("parseDetails() reads what containerd says of its set-up", () => {
  const ipam = { ranges: [[{ subnet: "10.42.0.0/24" }], [{ subnet: "fd00::/64" }]] };
  const info = {
    config: JSON.stringify({ sandboxImage: "pause:1", cni: { binDir: "/x", confDir: "/y" } }),
    cniconfig: JSON.stringify({
      PluginDirs: ["/opt/cni/bin"],
      PluginConfDir: "/etc/cni/net.d",
      Networks: [
        { Config: { Plugins: [plugin("loopback")] } },
        {
          Config: {
            Plugins: [
              { ...plugin("bridge", "host-local"), Source: JSON.stringify({ ipam }) },
              { ...plugin("portmap"), Source: "{" },
            ],
          },
        },
      ],
    }),
    lastCNILoadStatus: "OK",
  };
  const cni = {
    configDir: "/etc/cni/net.d",
    binDirs: ["/opt/cni/bin"],
    plugins: ["loopback", "bridge", "host-local", "portmap"],
    subnets: ["10.42.0.0/24", "fd00::/64"],
  };
  deepStrictEqual(parseDetails(info), { sandboxImage: "pause:1", cni });
  const problem = "cni config load failed: no network config found in /etc/cni/net.d";
  deepStrictEqual(parseDetails({ ...info, lastCNILoadStatus: problem }).cni, { ...cni, problem });
});

Deno.test("parseDetails() falls back to the configuration, and on rubbish says nothing", () => {
  const config = JSON.stringify({ cni: { binDir: "/opt/cni/bin", confDir: "/etc/cni/net.d" } });
  deepStrictEqual(parseDetails({ config }), {
    cni: { configDir: "/etc/cni/net.d", binDirs: ["/opt/cni/bin"], plugins: [], subnets: [] },
  });
  for (const text of ["", "null", "3", "[]", "{", '{"cni":3}']) {
    deepStrictEqual(parseDetails({ config: text, cniconfig: text }), {});
  }
  deepStrictEqual(parseDetails({}), {});
});
