/** What types and fields mean, for `kubectl explain`: `Type Text` or `Type.field Text`, one a line. */
export const DESCRIPTIONS = `
ObjectMeta Metadata that every stored object has.
ObjectMeta.name Unique among the objects of its kind in the namespace. Cannot change.
ObjectMeta.generateName Start of a name that the server completes when name is empty.
ObjectMeta.namespace The namespace of the object. Cannot change.
ObjectMeta.uid Unique in time and space, set by the server.
ObjectMeta.resourceVersion Version of the object in the store. Opaque; send it back to detect conflicts.
ObjectMeta.generation Counts changes of the wanted state.
ObjectMeta.creationTimestamp When the object was created.
ObjectMeta.deletionTimestamp When deletion was asked for; the object goes when its finalizers are gone.
ObjectMeta.labels Keys and values by which objects are selected.
ObjectMeta.annotations Keys and values for tools and people; not selectable.
ObjectMeta.ownerReferences Objects on which this one depends; it is deleted with the last of them.
ObjectMeta.finalizers Names that must be removed before the object goes.
LabelSelector Selects objects by labels. All that is named must hold.
LabelSelector.matchLabels Labels that must have exactly these values.
LabelSelector.matchExpressions Requirements with operators: In, NotIn, Exists, DoesNotExist.
Pod A group of containers that run together on one node.
Pod.metadata Standard object metadata.
Pod.spec What should run.
Pod.status What was last observed. Written by the node.
PodSpec Describes what a pod runs and where.
PodSpec.containers Containers of the pod. At least one; cannot be added or removed later.
PodSpec.initContainers Containers that run to their end, one after the other, before the others start.
PodSpec.volumes Volumes that containers may mount.
PodSpec.restartPolicy Always, OnFailure or Never; for all containers of the pod. Default Always.
PodSpec.terminationGracePeriodSeconds Seconds from the stop signal to the kill. Default 30.
PodSpec.activeDeadlineSeconds Seconds after which the pod is stopped and marked failed.
PodSpec.dnsPolicy ClusterFirst, ClusterFirstWithHostNet, Default or None.
PodSpec.nodeSelector Labels that a node must have to run the pod.
PodSpec.nodeName The node that runs the pod. Set by the scheduler.
PodSpec.serviceAccountName The service account that the pod runs as.
PodSpec.hostNetwork Whether the pod uses the node's own network.
PodSpec.hostPID Whether the pod sees the node's processes.
PodSpec.hostIPC Whether the pod uses the node's IPC.
PodSpec.securityContext Security settings for all containers of the pod.
PodSpec.imagePullSecrets Secrets that hold registry credentials.
PodSpec.hostname Host name of the pod. Default: the pod's name.
PodSpec.affinity Where the pod may or should run.
PodSpec.tolerations Taints that do not keep the pod away.
PodSpec.runtimeClassName The runtime that runs the pod.
Container One container of a pod.
Container.name Unique in the pod, a DNS label. Cannot change.
Container.image Image reference, e.g. docker.io/library/nginx:1.27.
Container.command Replaces the image's entrypoint. Not run in a shell.
Container.args Replaces the image's arguments.
Container.workingDir Working directory. Default: the image's.
Container.ports Ports that the container listens on; for information and host ports.
Container.env Environment variables.
Container.envFrom ConfigMaps and Secrets whose keys all become environment variables.
Container.resources CPU, memory and other resources that it needs and may use.
Container.volumeMounts Where volumes of the pod appear.
Container.livenessProbe When it fails, the container is restarted.
Container.readinessProbe When it fails, the pod gets no service traffic.
Container.startupProbe The other probes wait until it succeeds.
Container.lifecycle Actions after start and before stop.
Container.imagePullPolicy Always, IfNotPresent or Never. Default Always for :latest, else IfNotPresent.
Container.securityContext Security settings of the container.
Container.tty Whether to give it a terminal.
Container.stdin Whether to keep its standard input open.
ContainerPort.containerPort Port number inside the pod, 1 to 65535.
ContainerPort.hostPort Port on the node that leads to it.
ContainerPort.protocol TCP, UDP or SCTP. Default TCP.
EnvVar.name Name of the variable.
EnvVar.value Value; $(NAME) is replaced by earlier variables.
EnvVar.valueFrom Source of the value, instead of value.
ResourceRequirements.limits The most that may be used.
ResourceRequirements.requests What is set aside. Default: the limits.
VolumeMount.name Name of a volume of the pod.
VolumeMount.mountPath Path in the container.
VolumeMount.subPath Path inside the volume.
VolumeMount.readOnly Whether writing is refused.
Volume A volume that containers of the pod may mount.
Volume.name Unique in the pod, a DNS label.
VolumeSource.emptyDir A folder that lives as long as the pod.
VolumeSource.hostPath A file or folder of the node.
VolumeSource.configMap Files from the keys of a ConfigMap.
VolumeSource.secret Files from the keys of a Secret, kept in memory.
Toleration Lets the pod run on nodes with a taint.
Deployment Keeps a number of equal pods running and replaces them step by step.
Deployment.metadata Standard object metadata.
Deployment.spec What should run.
Deployment.status What was last observed.
DeploymentSpec What a Deployment wants.
DeploymentSpec.replicas Number of pods. Default 1.
DeploymentSpec.selector Which pods belong to it; must match the template's labels. Cannot change.
DeploymentSpec.template What the pods look like.
DeploymentSpec.strategy How old pods are replaced: RollingUpdate or Recreate.
DeploymentSpec.minReadySeconds Seconds a new pod must be ready to count as available.
DeploymentSpec.revisionHistoryLimit Old ReplicaSets to keep. Default 10.
DeploymentSpec.paused Whether roll-outs are held.
DeploymentSpec.progressDeadlineSeconds Seconds without progress after which it counts as failed.
ReplicaSet Keeps a number of equal pods running.
ReplicaSetSpec.replicas Number of pods. Default 1.
ReplicaSetSpec.selector Which pods belong to it. Cannot change.
ReplicaSetSpec.template What the pods look like.
DaemonSet Keeps one pod running on every fitting node.
DaemonSetSpec.selector Which pods belong to it. Cannot change.
DaemonSetSpec.template What the pods look like.
DaemonSetSpec.updateStrategy How old pods are replaced: RollingUpdate or OnDelete.
PodTemplateSpec What pods are made from.
Namespace A scope for names.
Node A machine that runs pods and functions.
Node.spec What is wanted of the node.
Node.status What the node reports.
NodeSpec.taints Keep pods away that do not tolerate them.
NodeSpec.unschedulable Whether new pods are kept away.
ConfigMap Configuration for pods, as keys and values.
ConfigMap.data Values as text.
ConfigMap.binaryData Values as base64.
ConfigMap.immutable Whether the data may no longer change.
Secret Secret data for pods, as keys and values.
Secret.data Values as base64.
Secret.stringData Values as text; written only, folded into data.
Secret.type What kind of secret it is. Default Opaque. Cannot change.
Service A stable address for a set of pods.
ServiceSpec.selector Labels of the pods that receive the traffic.
ServiceSpec.ports Ports that the service listens on.
ServiceSpec.type ClusterIP, NodePort, LoadBalancer or ExternalName. Default ClusterIP.
ServiceSpec.clusterIP Address inside the cluster; None for a headless service.
ServicePort.port Port that the service listens on.
ServicePort.targetPort Port or port name on the pods. Default: port.
ServiceAccount An identity for pods.
Event Something that happened to an object.
Lease A claim that is renewed from time to time; nodes show by it that they live.
EndpointSlice A part of the addresses of a service.
`;
