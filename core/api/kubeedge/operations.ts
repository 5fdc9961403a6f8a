import type { z } from "zod";
import {
  conditions,
  type CustomKind,
  fields,
  flag,
  int32,
  labelSelector,
  list,
  once,
  text,
  textMap,
  texts,
} from "./schema.ts";

const nodeChoice = () => ({
  nodeNames: texts("Names of the nodes. Either these or labelSelector."),
  labelSelector: labelSelector("Labels of the nodes. Either these or nodeNames."),
  concurrency: int32("Nodes at once. Default 1."),
  timeoutSeconds: int32("How long a node may take. Default, and for 0: 300."),
  failureTolerate: text("Share of the nodes that may fail. Default 0.1."),
});

const checkItems = () => texts("What is checked first: cpu, mem, disk.");

const actionFlow = () =>
  list(
    "Steps that were taken.",
    fields("One step.", {
      action: text("Name of the step."),
      status: text("True, False or Unknown."),
      reason: text("Why it failed."),
      time: text("When it was taken."),
    }),
  );

const taskFields = () => ({
  nodeName: text("Name of the node."),
  phase: text("Pending, InProgress, Successful, Failure or Unknown."),
  reason: text("Why it failed."),
  actionFlow: actionFlow(),
});

const jobFields = () => ({
  reason: text("Why the job failed."),
  conditions: conditions(),
});

/** Fields of v1alpha1 that KubeEdge still has in v1alpha2. */
const oldJobFields = () => ({
  state: text("Of version v1alpha1."),
  time: text("Of version v1alpha1."),
  event: text("Of version v1alpha1."),
  action: text("Of version v1alpha1."),
});

const phase = () => ({ phase: text("Init, InProgress, Completed or Failure.") });

const upgradeSpec = once(() =>
  fields("Which nodes get which version.", {
    version: text("Version to upgrade to, e.g. v1.21.0."),
    image: text("Image that holds the programs. Its tag is the version."),
    // Written so in KubeEdge.
    imageDigestGatter: fields("How the image's digest is known.", {
      amd64: text("Digest for amd64, sha256:..."),
      arm64: text("Digest for arm64, sha256:..."),
      value: text("Digest, of version v1alpha1."),
      registryAPI: fields("A registry that is asked.", {}, {
        host: text("Host of the registry."),
        token: text("Token for the registry."),
      }),
    }),
    checkItems: checkItems(),
    requireConfirmation: flag("Whether somebody at the node must agree. Default false."),
    ...nodeChoice(),
  })
);

const prePullSpec = once(() =>
  fields("Which nodes get which images.", {
    imagePrePullTemplate: fields("The job.", {
      images: texts("Images to pull."),
      imageSecrets: text("Secret with credentials, as namespace/name."),
      retryTimes: int32("How often a pull is tried again. Default 0."),
      checkItems: checkItems(),
      ...nodeChoice(),
    }),
  })
);

const configSpec = once(() =>
  fields("Which nodes get which settings.", nodeChoice(), {
    updateFields: textMap("Settings by their paths, e.g. modules.edged.enable."),
  })
);

const oldImageStatus = () =>
  list(
    "Of version v1alpha1.",
    fields("One node.", {
      nodeStatus: fields("The node.", {
        nodeName: text("Name of the node."),
        reason: text("Why it failed."),
        ...oldJobFields(),
      }),
      imageStatus: list(
        "The images.",
        fields("One image.", {
          image: text("The image."),
          state: text("successful or failed."),
          reason: text("Why it failed."),
        }),
      ),
    }),
  );

/** The kinds of `operations.kubeedge.io/v1alpha2`. */
export const OPERATION_KINDS: Readonly<Record<string, () => CustomKind>> = {
  NodeUpgradeJob: once(() => ({
    description: "Upgrades the edge part of nodes.",
    spec: upgradeSpec(),
    status: fields("How far the job is.", {
      ...jobFields(),
      ...oldJobFields(),
      currentVersion: text("Of version v1alpha1."),
      historicVersion: text("Of version v1alpha1."),
      nodeStatus: list(
        "How far every node is.",
        fields("One node.", {
          ...taskFields(),
          currentVersion: text("Version that the node has."),
          historicVersion: text("Version that the node had."),
          state: text("Of version v1alpha1."),
          event: text("Of version v1alpha1."),
        }),
      ),
    }, phase()),
  })),
  ImagePrePullJob: once(() => ({
    description: "Pulls images to nodes before they are needed.",
    spec: prePullSpec(),
    specRequired: true,
    status: fields("How far the job is.", {
      ...jobFields(),
      ...oldJobFields(),
      status: oldImageStatus(),
      nodeStatus: list(
        "How far every node is.",
        fields("One node.", {
          ...taskFields(),
          imageStatus: list(
            "How far every image is.",
            fields("One image.", {
              image: text("The image."),
              status: text("True, False or Unknown."),
              reason: text("Why it failed."),
            }),
          ),
        }),
      ),
    }, phase()),
  })),
  ConfigUpdateJob: once(() => ({
    description: "Changes the settings of nodes.",
    spec: configSpec(),
    status: fields("How far the job is.", {
      ...jobFields(),
      nodeStatus: list("How far every node is.", fields("One node.", taskFields())),
    }, phase()),
  })),
};

/** `spec` of a NodeUpgradeJob. */
export type NodeUpgradeJobSpec = z.infer<ReturnType<typeof upgradeSpec>>;
/** `spec` of an ImagePrePullJob. */
export type ImagePrePullJobSpec = z.infer<ReturnType<typeof prePullSpec>>;
/** `spec` of a ConfigUpdateJob. */
export type ConfigUpdateJobSpec = z.infer<ReturnType<typeof configSpec>>;
