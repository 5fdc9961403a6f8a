import assert from "node:assert/strict";
import { type ErrorCode, isAppError } from "../base/mod.ts";
import { clusterAccess, IN_CLUSTER, readEndpoint } from "./config.ts";

const base64 = (text: string): string => new TextEncoder().encode(text).toBase64();

const CLUSTER = { server: "https://10.0.0.1:6443", "certificate-authority-data": base64("CA") };
const USER = { "client-certificate-data": base64("CERT"), "client-key-data": base64("KEY") };

interface Parts {
  readonly cluster?: unknown;
  readonly user?: unknown;
  readonly rest?: Readonly<Record<string, unknown>>;
}

function kubeconfig({ cluster = CLUSTER, user = USER, rest = {} }: Parts = {}): string {
  return JSON.stringify({
    "current-context": "ctx",
    contexts: [{ name: "other", context: {} }, {
      name: "ctx",
      context: { cluster: "c", user: "u" },
    }],
    clusters: [{ name: "c", cluster }],
    users: [{ name: "u", user }],
    ...rest,
  });
}

/** Runs `body` with a folder that holds `files`. */
async function withFiles(
  files: Readonly<Record<string, string>>,
  body: (dir: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${dir}/${name}`, text);
    }
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("readEndpoint() takes certificates from data", () =>
  withFiles({ config: kubeconfig() }, async (dir) => {
    assert.deepEqual(await readEndpoint(`${dir}/config`), {
      server: "https://10.0.0.1:6443",
      ca: "CA",
      credential: { certificate: "CERT", key: "KEY" },
    });
  }));

Deno.test("readEndpoint() takes certificates from files; relative names count from its folder", () => {
  const config = kubeconfig({
    cluster: { server: "https://kube.example/prefix/", "certificate-authority": "ca.crt" },
    user: { "client-certificate": "me.crt", "client-key": "/tmp/skerry-no-such-key" },
  });
  const files = { config, "ca.crt": "CA", "me.crt": "CERT", "me.key": "KEY" };
  return withFiles(files, async (dir) => {
    await assert.rejects(readEndpoint(`${dir}/config`), /Cannot read \/tmp\/skerry-no-such-key: /);
    const right = config.replace("/tmp/skerry-no-such-key", "me.key");
    await Deno.writeTextFile(`${dir}/config`, right);
    assert.deepEqual(await readEndpoint(`${dir}/config`), {
      server: "https://kube.example/prefix",
      ca: "CA",
      credential: { certificate: "CERT", key: "KEY" },
    });
    assert.deepEqual(await clusterAccess(`${dir}/config`), {
      host: "kube.example:443",
      files: [`${dir}/config`, `${dir}/ca.crt`, `${dir}/me.crt`, `${dir}/me.key`],
    });
  });
});

Deno.test("readEndpoint() prefers data to files, as kubectl does", () =>
  withFiles({
    config: kubeconfig({ cluster: { ...CLUSTER, "certificate-authority": "none" } }),
  }, async (dir) => assert.equal((await readEndpoint(`${dir}/config`)).ca, "CA")));

Deno.test("readEndpoint() reads a token file again each time, and a token from the config", () =>
  withFiles({
    config: kubeconfig({ user: { tokenFile: "token" } }),
    token: "one\n",
    fixed: kubeconfig({ user: { token: "three" } }),
  }, async (dir) => {
    const { token, credential } = await readEndpoint(`${dir}/config`);
    assert.equal(credential, undefined);
    assert.equal(await token?.(), "one");
    await Deno.writeTextFile(`${dir}/token`, "two");
    assert.equal(await token?.(), "two");
    assert.equal(await (await readEndpoint(`${dir}/fixed`)).token?.(), "three");
  }));

Deno.test.each<[string, string, ErrorCode, RegExp]>([
  ["no YAML", "a: [", "Invalid", /is no YAML/],
  ["an empty file", "", "Invalid", /holds no configuration/],
  ["a list", "[1]", "Invalid", /holds no configuration/],
  ["no context", "{}", "Invalid", /no current-context: set one with kubectl config/],
  ["a context that is not there", '{"current-context":"x"}', "Invalid", /no context x/],
  ["lists that are none", kubeconfig({ rest: { contexts: "x" } }), "Invalid", /no context ctx/],
  ["entries that are none", kubeconfig({ rest: { users: [null, 7, {}] } }), "Invalid", /user u/],
  ["a cluster that is not there", kubeconfig({ rest: { clusters: [] } }), "Invalid", /cluster c/],
  ["an empty cluster", kubeconfig({ cluster: null }), "Invalid", /no cluster c/],
  ["an empty user", kubeconfig({ user: null }), "Invalid", /no user u/],
  ["http", kubeconfig({ cluster: { server: "http://a" } }), "Invalid", /https address: http:\/\/a/],
  ["no server", kubeconfig({ cluster: {} }), "Invalid", /must be an https address: undefined/],
  [
    "insecure-skip-tls-verify",
    kubeconfig({ cluster: { ...CLUSTER, "insecure-skip-tls-verify": true } }),
    "Unsupported",
    /give certificate-authority-data instead/,
  ],
  [
    "tls-server-name",
    kubeconfig({ cluster: { ...CLUSTER, "tls-server-name": "x" } }),
    "Unsupported",
    /tls-server-name is not supported/,
  ],
  [
    "proxy-url",
    kubeconfig({ cluster: { ...CLUSTER, "proxy-url": "x" } }),
    "Unsupported",
    /proxy-url is not supported/,
  ],
  ["exec", kubeconfig({ user: { exec: {} } }), "Unsupported", /may run none: use a client cert/],
  ["auth-provider", kubeconfig({ user: { "auth-provider": {} } }), "Unsupported", /may run none/],
  ["username", kubeconfig({ user: { username: "x" } }), "Unsupported", /username is not supp/],
  ["as", kubeconfig({ user: { ...USER, as: "x" } }), "Unsupported", /user field as is not/],
  ["nothing of a user", kubeconfig({ user: {} }), "Invalid", /u has neither a client certificate/],
  [
    "a certificate without a key",
    kubeconfig({ user: { "client-certificate-data": base64("C") } }),
    "Invalid",
    /has one of client-certificate and client-key/,
  ],
  [
    "data that is no base64",
    kubeconfig({ user: { ...USER, "client-key-data": "%%" } }),
    "Invalid",
    /client-key-data is no base64/,
  ],
  [
    "a file that is empty",
    kubeconfig({ user: { "client-certificate": "/dev/null", "client-key": "/dev/null" } }),
    "Invalid",
    /client-certificate \/dev\/null is empty/,
  ],
])("readEndpoint() refuses %s", (_, config, code, message) =>
  withFiles({ config }, async (dir) => {
    for (const read of [readEndpoint, clusterAccess]) {
      await assert.rejects(read(`${dir}/config`), (error) => {
        assert.ok(isAppError(error, code), String(error));
        assert.match(error.message, message);
        assert.ok(error.message.includes(`${dir}/config`), error.message);
        return true;
      });
    }
  }));

Deno.test("readEndpoint() says which file is not there", async () => {
  await assert.rejects(
    readEndpoint("/nowhere/config"),
    (error) =>
      isAppError(error, "NotFound") && /Cannot read \/nowhere\/config: /.test(error.message),
  );
});

Deno.test({
  name: "readEndpoint() of in-cluster says so where there is no cluster",
  ignore: Deno.env.get("KUBERNETES_SERVICE_HOST") !== undefined,
  fn: async () => {
    await assert.rejects(
      readEndpoint(IN_CLUSTER),
      (error) =>
        isAppError(error, "NotFound") && /runs in no pod of Kubernetes/.test(error.message),
    );
  },
});

Deno.test("readEndpoint() says which file is a folder, or no kubeconfig of this version", () => {
  const typo = { apiVersion: "v2" };
  const pod = { apiVersion: "v1", kind: "Pod" };
  const files = {
    typo: kubeconfig({ rest: typo }),
    pod: kubeconfig({ rest: pod }),
    right: kubeconfig({ rest: { apiVersion: "v1", kind: "Config" } }),
  };
  return withFiles(files, async (dir) => {
    for (
      const [path, told] of [
        [dir, `Cannot read ${dir}: it is a folder; name a file in it`],
        [`${dir}/typo`, `kubeconfig ${dir}/typo: apiVersion is "v2": it must be v1`],
        [`${dir}/pod`, `kubeconfig ${dir}/pod: kind is "Pod": it must be Config`],
      ] as const
    ) {
      await assert.rejects(
        readEndpoint(path),
        (error) => isAppError(error, "Invalid") && error.message === told,
      );
    }
    await readEndpoint(`${dir}/right`);
  });
});
