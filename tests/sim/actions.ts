import { isAppError } from "../../core/base/mod.ts";
import { type KubeObject, type Pod, type ResourceDef, RESOURCES } from "../../core/api/mod.ts";
import type { SimNode } from "./sim_node.ts";
import type { World } from "./world.ts";

const { pods, configmaps, secrets, nodes, wasmfunctions } = RESOURCES;
const NAMES = 6;
const POINTS = ["before", "inside", "after"] as const;

/** Something that may happen, and how often compared with others. */
interface Action {
  readonly weight: number;
  run(world: World): void | Promise<void>;
}

const ACTIONS: readonly Action[] = [
  { weight: 10, run: createPod },
  { weight: 4, run: deletePod },
  { weight: 2, run: forceDeletePod },
  { weight: 4, run: labelPod },
  { weight: 3, run: overruleStatus },
  { weight: 2, run: tellEnd },
  { weight: 6, run: changeConfig },
  { weight: 2, run: deleteConfig },
  { weight: 3, run: changeFunction },
  { weight: 1, run: deleteFunction },
  { weight: 2, run: labelNode },
  { weight: 4, run: (world) => world.network.cut(pick(world, world.nodes).name) },
  { weight: 3, run: (world) => world.network.halfOpen(pick(world, world.nodes).name) },
  { weight: 2, run: refuseForAWhile },
  { weight: 1, run: (world) => pick(world, world.nodes).kick() },
  { weight: 2, run: (world) => pick(world, world.nodes).crash("killed") },
  { weight: 1, run: (world) => pick(world, world.nodes).loseState() },
  { weight: 3, run: (world) => pick(world, world.nodes).arm(pick(world, POINTS)) },
  { weight: 1, run: (world) => world.crashHub(anyHub(world), "killed") },
  { weight: 2, run: (world) => world.armHub(anyHub(world), pick(world, POINTS)) },
  { weight: 1, run: (world) => world.restartHub(anyHub(world)) },
];
const TOTAL = ACTIONS.reduce((sum, { weight }) => sum + weight, 0);

/** Does one thing by chance. */
export async function act(world: World): Promise<void> {
  let at = world.random() * TOTAL;
  const action = ACTIONS.find(({ weight }) => (at -= weight) < 0);
  try {
    await action?.run(world);
  } catch (error) {
    // What a person asks for may be impossible at that moment.
    if (!isAppError(error, "NotFound", "AlreadyExists", "Conflict")) throw error;
  }
}

function pick<T>(world: World, items: readonly T[]): T {
  const item = items[Math.floor(world.random() * items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}

function anyHub(world: World): number {
  return world.random() < 0.5 ? 0 : 1;
}

function name(world: World, prefix: string): string {
  return `${prefix}${Math.floor(world.random() * NAMES)}`;
}

function object(kind: string, name: string, rest: Record<string, unknown>): KubeObject {
  const apiVersion = kind === "WasmFunction" ? "skerry.dev/v1alpha1" : "v1";
  return { apiVersion, kind, metadata: { name, namespace: "default" }, ...rest };
}

const refTo = (resource: ResourceDef, name: string) => ({ resource, namespace: "default", name });

async function createPod(world: World): Promise<void> {
  const node = pick(world, world.nodes).name;
  const pod = object("Pod", name(world, "p"), {
    spec: {
      nodeName: node,
      containers: [{
        name: "c",
        image: "i",
        envFrom: [{ secretRef: { name: name(world, "s") } }],
      }],
      volumes: [{ name: "v", configMap: { name: name(world, "c") } }],
    },
  });
  const late = world.random() < 0.3;
  if (late) delete pod["spec"].nodeName;
  await world.disk.create(pods, pod);
  world.trace(`pod ${pod.metadata.name} created${late ? "" : ` on ${node}`}`);
  if (!late) return;
  await world.disk.update(refTo(pods, pod.metadata.name), (current) => {
    current["spec"].nodeName = node;
    return current;
  });
  world.trace(`pod ${pod.metadata.name} bound to ${node}`);
}

async function deletePod(world: World): Promise<void> {
  const pod = name(world, "p");
  await world.disk.delete(refTo(pods, pod));
  world.trace(`pod ${pod} being deleted`);
}

async function forceDeletePod(world: World): Promise<void> {
  const pod = name(world, "p");
  await world.disk.delete(refTo(pods, pod), { gracePeriodSeconds: 0 });
  world.trace(`pod ${pod} deleted by force`);
}

async function labelPod(world: World): Promise<void> {
  await world.disk.update(refTo(pods, name(world, "p")), (current) => {
    current.metadata.labels = { at: String(world.random()) };
    return current as Pod;
  });
}

/** What a person does with `kubectl patch --subresource=status`, or a controller in the node's place. */
async function overruleStatus(world: World): Promise<void> {
  const pod = name(world, "p");
  await world.disk.update(refTo(pods, pod), (current) => ({
    ...current,
    status: { ...current["status"], reason: "Overruled" },
  }), { subresource: "status" });
  world.trace(`pod ${pod} had its status overruled`);
}

/** Somebody says that a pod has ended, which its node can only follow. */
async function tellEnd(world: World): Promise<void> {
  const pod = name(world, "p");
  const { metadata } = await world.disk.update(refTo(pods, pod), (current) => ({
    ...current,
    status: { ...current["status"], phase: "Failed" },
  }), { subresource: "status" });
  world.ended.add(metadata.uid ?? "");
  world.trace(`pod ${pod} was told to have failed`);
}

async function changeConfig(world: World): Promise<void> {
  const secret = world.random() < 0.3;
  const [resource, kind, config] = secret
    ? [secrets, "Secret", name(world, "s")] as const
    : [configmaps, "ConfigMap", name(world, "c")] as const;
  const data = { value: String(world.random()) };
  try {
    await world.disk.create(resource, object(kind, config, { data }));
  } catch (error) {
    if (!isAppError(error, "AlreadyExists")) throw error;
    await world.disk.update(refTo(resource, config), (current) => ({ ...current, data }));
  }
}

async function deleteConfig(world: World): Promise<void> {
  await world.disk.delete(refTo(configmaps, name(world, "c")));
}

async function changeFunction(world: World): Promise<void> {
  const fn = name(world, "f");
  const placement = world.random() < 0.5 ? { nodeSelector: { zone: name(world, "z") } } : {};
  const spec = { source: { configMapRef: { name: name(world, "c"), key: "m" } }, placement };
  try {
    await world.disk.create(wasmfunctions, object("WasmFunction", fn, { spec }));
  } catch (error) {
    if (!isAppError(error, "AlreadyExists")) throw error;
    await world.disk.update(refTo(wasmfunctions, fn), (current) => ({ ...current, spec }));
  }
}

async function deleteFunction(world: World): Promise<void> {
  await world.disk.delete(refTo(wasmfunctions, name(world, "f")));
}

async function labelNode(world: World): Promise<void> {
  const node = pick(world, world.nodes).name;
  const labels = { zone: name(world, "z") };
  const ref = { resource: nodes, name: node };
  try {
    await world.disk.update(ref, (current) => {
      current.metadata.labels = labels;
      return current;
    });
  } catch (error) {
    if (!isAppError(error, "NotFound")) throw error;
    await world.disk.create(nodes, {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: node, labels },
    });
  }
}

function refuseForAWhile(world: World): void {
  const node: SimNode = pick(world, world.nodes);
  world.trace(`${node.name} cannot reach the hub`);
  world.network.refuse(node.name, true);
  world.clock.timer((world.random() * 20_000) as never, () => {
    world.network.refuse(node.name, false);
  });
}
