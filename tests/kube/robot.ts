/** A service account `robot` for pods that use the Kubernetes API. */

/** Where its token is in a pod. */
export const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const RBAC = "rbac.authorization.k8s.io";

/** The account, and what it may do. */
export const ROBOT_RIGHTS = [
  { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "robot" } },
  {
    apiVersion: `${RBAC}/v1`,
    kind: "Role",
    metadata: { name: "robot" },
    rules: [
      { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] },
      { apiGroups: [""], resources: ["configmaps"], verbs: ["create"] },
      { apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"] },
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list"] },
    ],
  },
  // Its endpoints are asked for.
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "shown", labels: { "skerry.dev/endpoints": "" } },
    spec: { selector: { app: "app" }, ports: [{ port: 80 }] },
  },
  {
    apiVersion: `${RBAC}/v1`,
    kind: "RoleBinding",
    metadata: { name: "robot" },
    roleRef: { apiGroup: RBAC, kind: "Role", name: "robot" },
    subjects: [{ kind: "ServiceAccount", name: "robot", namespace: "default" }],
  },
];
