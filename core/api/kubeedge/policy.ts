import type { z } from "zod";
import {
  conditions,
  type CustomKind,
  fields,
  flag,
  list,
  once,
  text,
  textMap,
  texts,
} from "./schema.ts";

const meta = () =>
  fields("Metadata of the copy.", {
    name: text("Name."),
    namespace: text("Namespace."),
    labels: textMap("Labels."),
    annotations: textMap("Annotations."),
    finalizers: texts("Finalizers."),
  });

const typeMeta = () => ({ apiVersion: text("Group and version."), kind: text("Kind.") });

const binding = (description: string) =>
  fields(description, {
    ...typeMeta(),
    metadata: meta(),
    subjects: list(
      "Who is bound.",
      fields("One subject.", {
        apiGroup: text("Group of the subject."),
        namespace: text("Namespace of the subject."),
      }, { kind: text("User, Group or ServiceAccount."), name: text("Name of the subject.") }),
    ),
  }, {
    roleRef: fields("The role.", {}, {
      apiGroup: text("Group of the role."),
      kind: text("Role or ClusterRole."),
      name: text("Name of the role."),
    }),
  });

const rules = () =>
  list(
    "What the role allows.",
    fields("One rule.", {
      apiGroups: texts("Groups; * is all."),
      resources: texts("Resources; * is all."),
      resourceNames: texts("Names of objects; empty is all."),
      nonResourceURLs: texts("Paths that are no resources."),
    }, { verbs: texts("Verbs; * is all.") }),
  );

const accountSpec = once(() =>
  fields("A ServiceAccount with what it may do, for nodes without the cloud.", {
    serviceAccount: fields("The ServiceAccount.", {
      ...typeMeta(),
      metadata: meta(),
      automountServiceAccountToken: flag("Whether pods get its token."),
      imagePullSecrets: list("Secrets for registries.", fields("One.", { name: text("Name.") })),
      secrets: list(
        "Secrets of the account.",
        fields("One.", {
          ...typeMeta(),
          name: text("Name."),
          namespace: text("Namespace."),
          fieldPath: text("Path in the object."),
          resourceVersion: text("Version of the object."),
          uid: text("UID of the object."),
        }),
      ),
    }),
    serviceAccountUid: text("UID of the ServiceAccount."),
    accessRoleBinding: list(
      "What it may do in namespaces.",
      fields("One binding.", { roleBinding: binding("The RoleBinding."), rules: rules() }),
    ),
    accessClusterRoleBinding: list(
      "What it may do everywhere.",
      fields("One binding.", {
        clusterRoleBinding: binding("The ClusterRoleBinding."),
        rules: rules(),
      }),
    ),
  })
);

/** The kinds of `policy.kubeedge.io/v1alpha1`. */
export const POLICY_KINDS: Readonly<Record<string, () => CustomKind>> = {
  ServiceAccountAccess: once(() => ({
    description: "What a ServiceAccount may do, as nodes keep it. Written by the hub.",
    spec: accountSpec(),
    status: fields("Who has it.", {
      nodeList: texts("Nodes that keep it."),
      conditions: conditions(),
    }),
  })),
};

/** `spec` of a ServiceAccountAccess. */
export type ServiceAccountAccessSpec = z.infer<ReturnType<typeof accountSpec>>;
