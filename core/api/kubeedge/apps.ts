import { z } from "zod";
import type { KubeObject, ObjectMeta } from "../object.ts";
import {
  anything,
  conditions,
  type CustomKind,
  fields,
  flag,
  labelSelector,
  list,
  once,
  quantity,
  text,
  textMap,
  texts,
  whole,
  word,
} from "./schema.ts";

const groupSpec = once(() =>
  fields("Which nodes belong to the group: those that are named and those that match.", {
    nodes: texts("Names of nodes."),
    matchLabels: textMap("Nodes that have all these labels."),
    topologyEnabled: flag("Whether Services keep their traffic inside the group."),
  })
);

const groupStatus = once(() =>
  fields("How the nodes of the group stand.", {
    nodeStatuses: list(
      "One entry for every node that the group selects.",
      fields("One node.", {
        selectionStatusReason: text("Why the node is not in the group."),
      }, {
        nodeName: text("Name of the node."),
        readyStatus: text("Ready, NotReady or Unknown."),
        selectionStatus: text("Succeeded when the node is in the group, else Failed."),
      }),
    ),
  })
);

const keyRef = (what: string) =>
  fields(`A key of a ${what}.`, {
    name: text(`Name of the ${what}.`),
    optional: flag("Whether it may be absent."),
  }, { key: text("The key.") });

const envVar = () =>
  fields("A variable of the environment.", {
    value: text("The value."),
    valueFrom: fields("Where the value comes from.", {
      configMapKeyRef: keyRef("ConfigMap"),
      secretKeyRef: keyRef("Secret"),
      fieldRef: fields("A field of the pod.", { apiVersion: text("Version of the path.") }, {
        fieldPath: text("Path of the field."),
      }),
      resourceFieldRef: fields("A resource of a container.", {
        containerName: text("Name of the container."),
        divisor: quantity(),
      }, { resource: text("Name of the resource.") }),
      fileKeyRef: fields("A key of a file of the pod.", {
        optional: flag("Whether it may be absent."),
      }, {
        volumeName: text("Volume of the file."),
        path: text("Path of the file."),
        key: text("The key."),
      }),
    }),
  }, { name: text("Name of the variable.") });

const containerName = () => text("Name of the container, which is no init container.");

const commandOverrider = (what: string) =>
  fields(`A change of ${what}.`, {
    value: texts("Texts that are appended (add) or taken out (remove)."),
  }, {
    containerName: containerName(),
    operator: word("What is done.", ["add", "remove"]),
  });

const overriders = () =>
  fields("What differs here from the template.", {
    replicas: whole("Number of pods."),
    imageOverriders: list(
      "Changes of images.",
      fields("A change of a part of an image's name.", {
        predicate: fields(
          "Which image. Default: those of all containers, init containers left out.",
          {},
          {
            path: text("Path in the manifest, e.g. /spec/template/spec/containers/0/image."),
          },
        ),
        value: text("Text that is appended (add) or put in (replace)."),
      }, {
        component: word("Part of the name: [registry/]repository[:tag].", [
          "Registry",
          "Repository",
          "Tag",
        ]),
        operator: word("What is done.", ["add", "remove", "replace"]),
      }),
    ),
    envOverriders: list(
      "Changes of the environment.",
      fields("A change of one container's variables.", {
        value: list("Variables; for remove only their names count.", envVar()),
      }, {
        containerName: containerName(),
        operator: word("What is done.", ["add", "remove", "replace"]),
      }),
    ),
    commandOverriders: list("Changes of commands.", commandOverrider("one container's command")),
    argsOverriders: list("Changes of arguments.", commandOverrider("one container's arguments")),
    resourcesOverriders: list(
      "Other resources of containers.",
      fields("Other resources of one container.", {
        value: fields("Replaces the container's resources.", {
          limits: z.record(z.string(), quantity()).meta({ description: "The most it may use." }),
          requests: z.record(z.string(), quantity()).meta({ description: "What is set aside." }),
          claims: list(
            "Resource claims of the pod.",
            fields("One claim.", { request: text("One request of it.") }, {
              name: text("Name of the claim."),
            }),
          ),
        }),
      }, { containerName: containerName() }),
    ),
  });

const appSpec = once(() =>
  fields("What runs where.", {
    workloadTemplate: fields("What runs.", {
      manifests: list("Kubernetes objects.", anything("A Kubernetes object.")),
    }),
  }, {
    workloadScope: fields("Where it runs.", {
      targetNodeGroups: list(
        "Groups of nodes.",
        // KubeEdge's CRD does not demand the name either.
        fields("A group.", { name: text("Name of the NodeGroup."), overriders: overriders() }),
      ),
      targetNodeLabels: list(
        "Nodes by their labels.",
        fields("Nodes that match.", {
          labelSelector: labelSelector("Labels of the nodes."),
          overriders: overriders(),
        }),
      ),
    }),
  })
);

const appStatus = once(() =>
  fields("How the objects of the application stand.", {
    workloadStatus: list(
      "One entry for every object.",
      fields("One object.", {
        conditions: word("Available when it is as wanted and ready.", ["Processing", "Available"]),
        reason: text("Why it is not available, in one word. KubeEdge has no such field."),
        message: text("Why, in one sentence. KubeEdge has no such field."),
      }, {
        identifier: fields("Which object.", {
          group: text("Group of the object."),
          version: text("Version of the object."),
          kind: text("Kind of the object."),
          resource: text("Plural of the kind."),
          namespace: text("Namespace of the object."),
          name: text("Name of the object."),
        }, { ordinal: z.number().int().min(0).meta({ description: "Place of its manifest." }) }),
      }),
    ),
    finished: list(
      "What ran to its end, and does not run again for that. KubeEdge has no such field.",
      fields("One Job or Pod.", { message: text("Why it failed, in one sentence.") }, {
        group: text("Group of the object."),
        kind: text("Kind of the object."),
        name: text("Name of the object."),
        run: text("Digest of what ran: its manifest's spec with the target's overriders."),
        result: word("How it ended.", ["Complete", "Failed"]),
        time: text("When that was seen."),
      }),
    ),
    conditions: conditions(),
  })
);

/** The kinds of `apps.kubeedge.io/v1alpha1`. */
export const APP_KINDS: Readonly<Record<string, () => CustomKind>> = {
  NodeGroup: once(() => ({
    description: "A group of nodes, for EdgeApplications. A node is in one group at most.",
    spec: groupSpec(),
    status: groupStatus(),
    specRequired: true,
  })),
  EdgeApplication: once(() => ({
    description: "Objects that run in several groups of nodes, in each a little different.",
    spec: appSpec(),
    status: appStatus(),
  })),
};

/** `spec` of a NodeGroup. */
export type NodeGroupSpec = z.infer<ReturnType<typeof groupSpec>>;
/** `status` of a NodeGroup. */
export type NodeGroupStatus = z.infer<ReturnType<typeof groupStatus>>;
/** `spec` of an EdgeApplication. */
export type EdgeApplicationSpec = z.infer<ReturnType<typeof appSpec>>;
/** `status` of an EdgeApplication. */
export type EdgeApplicationStatus = z.infer<ReturnType<typeof appStatus>>;
/** What differs in one group of an EdgeApplication. */
export type Overriders = z.infer<ReturnType<typeof overriders>>;

/** A group of nodes. */
export interface NodeGroup extends KubeObject {
  apiVersion: "apps.kubeedge.io/v1alpha1";
  kind: "NodeGroup";
  metadata: ObjectMeta;
  spec: NodeGroupSpec;
  status?: NodeGroupStatus;
}

/** Objects that run in several groups of nodes. */
export interface EdgeApplication extends KubeObject {
  apiVersion: "apps.kubeedge.io/v1alpha1";
  kind: "EdgeApplication";
  metadata: ObjectMeta;
  spec: EdgeApplicationSpec;
  status?: EdgeApplicationStatus;
}
