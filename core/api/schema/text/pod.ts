/** Pod and all that is inside it. The notation is explained in `../parse.ts`. */
export const POD_TYPES = `
Pod = apiVersion:0:string kind:0:string metadata:1:ObjectMeta spec:2:PodSpec status:3:PodStatus
PodSpec = volumes:1:[]Volume initContainers:20:[]Container containers*:2:[]Container
  ephemeralContainers:34:[]EphemeralContainer restartPolicy:3:string
  terminationGracePeriodSeconds:4:*int64 activeDeadlineSeconds:5:*int64 dnsPolicy:6:string
  nodeSelector:7:map:string serviceAccountName:8:string serviceAccount:9:string
  automountServiceAccountToken:21:*bool nodeName:10:string hostNetwork:11:bool hostPID:12:bool
  hostIPC:13:bool shareProcessNamespace:27:*bool securityContext:14:PodSecurityContext
  imagePullSecrets:15:[]LocalObjectReference hostname:16:string subdomain:17:string
  affinity:18:Affinity schedulerName:19:string tolerations:22:[]Toleration
  hostAliases:23:[]HostAlias priorityClassName:24:string priority:25:*int32
  dnsConfig:26:PodDNSConfig readinessGates:28:[]PodReadinessGate runtimeClassName:29:*string
  enableServiceLinks:30:*bool preemptionPolicy:31:*string overhead:32:map:Quantity
  topologySpreadConstraints:33:[]TopologySpreadConstraint setHostnameAsFQDN:35:*bool os:36:PodOS
  hostUsers:37:*bool schedulingGates:38:[]PodSchedulingGate resourceClaims:39:[]PodResourceClaim
  resources:40:ResourceRequirements hostnameOverride:41:*string
Volume = name*:1:string &:2:VolumeSource
VolumeSource = hostPath:1:HostPathVolumeSource emptyDir:2:EmptyDirVolumeSource
  gcePersistentDisk:3:any awsElasticBlockStore:4:any gitRepo:5:any secret:6:SecretVolumeSource
  nfs:7:NFSVolumeSource iscsi:8:any glusterfs:9:any
  persistentVolumeClaim:10:PersistentVolumeClaimVolumeSource rbd:11:any flexVolume:12:any
  cinder:13:any cephfs:14:any flocker:15:any downwardAPI:16:DownwardAPIVolumeSource fc:17:any
  azureFile:18:any configMap:19:ConfigMapVolumeSource vsphereVolume:20:any quobyte:21:any
  azureDisk:22:any photonPersistentDisk:23:any projected:26:ProjectedVolumeSource
  portworxVolume:24:any scaleIO:25:any storageos:27:any csi:28:CSIVolumeSource ephemeral:29:any
  image:30:ImageVolumeSource
HostPathVolumeSource = path*:1:string type:2:*string
EmptyDirVolumeSource = medium:1:string sizeLimit:2:Quantity
SecretVolumeSource = secretName:1:string items:2:[]KeyToPath defaultMode:3:*int32 optional:4:*bool
KeyToPath = key*:1:string path*:2:string mode:3:*int32
NFSVolumeSource = server*:1:string path*:2:string readOnly:3:bool
PersistentVolumeClaimVolumeSource = claimName*:1:string readOnly:2:bool
DownwardAPIVolumeSource = items:1:[]DownwardAPIVolumeFile defaultMode:2:*int32
DownwardAPIVolumeFile = path*:1:string fieldRef:2:ObjectFieldSelector
  resourceFieldRef:3:ResourceFieldSelector mode:4:*int32
ObjectFieldSelector = apiVersion:1:string fieldPath*:2:string
ResourceFieldSelector = containerName:1:string resource*:2:string divisor:3:Quantity
ConfigMapVolumeSource = &:1:LocalObjectReference items:2:[]KeyToPath defaultMode:3:*int32
  optional:4:*bool
LocalObjectReference = name:1:string
ProjectedVolumeSource = sources:1:[]VolumeProjection defaultMode:2:*int32
VolumeProjection = secret:1:SecretProjection downwardAPI:2:DownwardAPIProjection
  configMap:3:ConfigMapProjection serviceAccountToken:4:ServiceAccountTokenProjection
  clusterTrustBundle:5:ClusterTrustBundleProjection podCertificate:6:PodCertificateProjection
SecretProjection = &:1:LocalObjectReference items:2:[]KeyToPath optional:4:*bool
DownwardAPIProjection = items:1:[]DownwardAPIVolumeFile
ConfigMapProjection = &:1:LocalObjectReference items:2:[]KeyToPath optional:4:*bool
ServiceAccountTokenProjection = audience:1:string expirationSeconds:2:*int64 path*:3:string
ClusterTrustBundleProjection = name:1:*string signerName:2:*string labelSelector:3:LabelSelector
  optional:5:*bool path*:4:string
PodCertificateProjection = signerName:1:string keyType:2:string maxExpirationSeconds:3:*int32
  credentialBundlePath:4:string keyPath:5:string certificateChainPath:6:string
CSIVolumeSource = driver*:1:string readOnly:2:*bool fsType:3:*string volumeAttributes:4:map:string
  nodePublishSecretRef:5:LocalObjectReference
ImageVolumeSource = reference:1:string pullPolicy:2:string
Container = name*:1:string image:2:string command:3:[]string args:4:[]string workingDir:5:string
  ports:6:[]ContainerPort envFrom:19:[]EnvFromSource env:7:[]EnvVar
  resources:8:ResourceRequirements resizePolicy:23:[]any restartPolicy:24:*string
  restartPolicyRules:25:[]ContainerRestartRule volumeMounts:9:[]VolumeMount
  volumeDevices:21:[]VolumeDevice livenessProbe:10:Probe readinessProbe:11:Probe
  startupProbe:22:Probe lifecycle:12:Lifecycle terminationMessagePath:13:string
  terminationMessagePolicy:20:string imagePullPolicy:14:string securityContext:15:SecurityContext
  stdin:16:bool stdinOnce:17:bool tty:18:bool
ContainerPort = name:1:string hostPort:2:int32 containerPort*:3:int32 protocol:4:string
  hostIP:5:string
EnvFromSource = prefix:1:string configMapRef:2:ConfigMapEnvSource secretRef:3:SecretEnvSource
ConfigMapEnvSource = &:1:LocalObjectReference optional:2:*bool
SecretEnvSource = &:1:LocalObjectReference optional:2:*bool
EnvVar = name*:1:string value:2:string valueFrom:3:EnvVarSource
EnvVarSource = fieldRef:1:ObjectFieldSelector resourceFieldRef:2:ResourceFieldSelector
  configMapKeyRef:3:ConfigMapKeySelector secretKeyRef:4:SecretKeySelector
  fileKeyRef:5:FileKeySelector
ConfigMapKeySelector = &:1:LocalObjectReference key*:2:string optional:3:*bool
SecretKeySelector = &:1:LocalObjectReference key*:2:string optional:3:*bool
FileKeySelector = volumeName*:1:string path*:2:string key*:3:string optional:4:*bool
ResourceRequirements = limits:1:map:Quantity requests:2:map:Quantity claims:3:[]ResourceClaim
ResourceClaim = name*:1:string request:2:string
ContainerRestartRule = action:1:string exitCodes:2:ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes = operator:1:string values:2:[]int32
VolumeMount = name*:1:string readOnly:2:bool recursiveReadOnly:7:*string mountPath*:3:string
  subPath:4:string mountPropagation:5:*string subPathExpr:6:string
VolumeDevice = name*:1:string devicePath*:2:string
Probe = &:1:ProbeHandler initialDelaySeconds:2:int32 timeoutSeconds:3:int32 periodSeconds:4:int32
  successThreshold:5:int32 failureThreshold:6:int32 terminationGracePeriodSeconds:7:*int64
ProbeHandler = exec:1:ExecAction httpGet:2:HTTPGetAction tcpSocket:3:TCPSocketAction
  grpc:4:GRPCAction
ExecAction = command:1:[]string
HTTPGetAction = path:1:string port*:2:IntOrString host:3:string scheme:4:string
  httpHeaders:5:[]HTTPHeader
HTTPHeader = name*:1:string value*:2:string
TCPSocketAction = port*:1:IntOrString host:2:string
GRPCAction = port*:1:int32 service:2:*string
Lifecycle = postStart:1:LifecycleHandler preStop:2:LifecycleHandler stopSignal:3:*string
LifecycleHandler = exec:1:ExecAction httpGet:2:HTTPGetAction tcpSocket:3:TCPSocketAction
  sleep:4:SleepAction
SleepAction = seconds*:1:int64
SecurityContext = capabilities:1:Capabilities privileged:2:*bool seLinuxOptions:3:SELinuxOptions
  windowsOptions:10:WindowsSecurityContextOptions runAsUser:4:*int64 runAsGroup:8:*int64
  runAsNonRoot:5:*bool readOnlyRootFilesystem:6:*bool allowPrivilegeEscalation:7:*bool
  procMount:9:*string seccompProfile:11:SeccompProfile appArmorProfile:12:AppArmorProfile
Capabilities = add:1:[]string drop:2:[]string
SELinuxOptions = user:1:string role:2:string type:3:string level:4:string
WindowsSecurityContextOptions = gmsaCredentialSpecName:1:*string gmsaCredentialSpec:2:*string
  runAsUserName:3:*string hostProcess:4:*bool
SeccompProfile = type*:1:string localhostProfile:2:*string
AppArmorProfile = type*:1:string localhostProfile:2:*string
EphemeralContainer = &:1:EphemeralContainerCommon targetContainerName:2:string
EphemeralContainerCommon = name*:1:string image:2:string command:3:[]string args:4:[]string
  workingDir:5:string ports:6:[]ContainerPort envFrom:19:[]EnvFromSource env:7:[]EnvVar
  resources:8:ResourceRequirements resizePolicy:23:[]any restartPolicy:24:*string
  restartPolicyRules:25:[]ContainerRestartRule volumeMounts:9:[]VolumeMount
  volumeDevices:21:[]VolumeDevice livenessProbe:10:Probe readinessProbe:11:Probe
  startupProbe:22:Probe lifecycle:12:Lifecycle terminationMessagePath:13:string
  terminationMessagePolicy:20:string imagePullPolicy:14:string securityContext:15:SecurityContext
  stdin:16:bool stdinOnce:17:bool tty:18:bool
PodSecurityContext = seLinuxOptions:1:SELinuxOptions
  windowsOptions:8:WindowsSecurityContextOptions runAsUser:2:*int64 runAsGroup:6:*int64
  runAsNonRoot:3:*bool supplementalGroups:4:[]int64 supplementalGroupsPolicy:12:*string
  fsGroup:5:*int64 sysctls:7:[]Sysctl fsGroupChangePolicy:9:*string
  seccompProfile:10:SeccompProfile appArmorProfile:11:AppArmorProfile
  seLinuxChangePolicy:13:*string
Sysctl = name*:1:string value*:2:string
Affinity = nodeAffinity:1:NodeAffinity podAffinity:2:PodAffinity podAntiAffinity:3:PodAntiAffinity
NodeAffinity = requiredDuringSchedulingIgnoredDuringExecution:1:NodeSelector
  preferredDuringSchedulingIgnoredDuringExecution:2:[]PreferredSchedulingTerm
NodeSelector = nodeSelectorTerms*:1:[]NodeSelectorTerm
NodeSelectorTerm = matchExpressions:1:[]NodeSelectorRequirement
  matchFields:2:[]NodeSelectorRequirement
NodeSelectorRequirement = key*:1:string operator*:2:string values:3:[]string
PreferredSchedulingTerm = weight*:1:int32 preference*:2:NodeSelectorTerm
PodAffinity = requiredDuringSchedulingIgnoredDuringExecution:1:[]PodAffinityTerm
  preferredDuringSchedulingIgnoredDuringExecution:2:[]WeightedPodAffinityTerm
PodAffinityTerm = labelSelector:1:LabelSelector namespaces:2:[]string topologyKey*:3:string
  namespaceSelector:4:LabelSelector matchLabelKeys:5:[]string mismatchLabelKeys:6:[]string
WeightedPodAffinityTerm = weight*:1:int32 podAffinityTerm*:2:PodAffinityTerm
PodAntiAffinity = requiredDuringSchedulingIgnoredDuringExecution:1:[]PodAffinityTerm
  preferredDuringSchedulingIgnoredDuringExecution:2:[]WeightedPodAffinityTerm
Toleration = key:1:string operator:2:string value:3:string effect:4:string
  tolerationSeconds:5:*int64
HostAlias = ip*:1:string hostnames:2:[]string
PodDNSConfig = nameservers:1:[]string searches:2:[]string options:3:[]PodDNSConfigOption
PodDNSConfigOption = name:1:string value:2:*string
PodReadinessGate = conditionType*:1:string
TopologySpreadConstraint = maxSkew*:1:int32 topologyKey*:2:string whenUnsatisfiable*:3:string
  labelSelector:4:LabelSelector minDomains:5:*int32 nodeAffinityPolicy:6:*string
  nodeTaintsPolicy:7:*string matchLabelKeys:8:[]string
PodOS = name*:1:string
PodSchedulingGate = name*:1:string
PodResourceClaim = name*:1:string resourceClaimName:3:*string resourceClaimTemplateName:4:*string
PodStatus = observedGeneration:17:int64 phase:1:string conditions:2:[]PodCondition
  message:3:string reason:4:string nominatedNodeName:11:string hostIP:5:string hostIPs:16:[]HostIP
  podIP:6:string podIPs:12:[]PodIP startTime:7:Time initContainerStatuses:10:[]ContainerStatus
  containerStatuses:8:[]ContainerStatus qosClass:9:string
  ephemeralContainerStatuses:13:[]ContainerStatus resize:14:string resourceClaimStatuses:15:[]any
  extendedResourceClaimStatus:18:any
PodCondition = type*:1:string observedGeneration:7:int64 status*:2:string lastProbeTime:3:Time
  lastTransitionTime:4:Time reason:5:string message:6:string
HostIP = ip*:1:string
PodIP = ip*:1:string
ContainerStatus = name*:1:string state:2:ContainerState lastState:3:ContainerState ready*:4:bool
  restartCount*:5:int32 image*:6:string imageID*:7:string containerID:8:string started:9:*bool
  allocatedResources:10:map:Quantity resources:11:ResourceRequirements
  volumeMounts:12:[]VolumeMountStatus user:13:any allocatedResourcesStatus:14:[]any
  stopSignal:15:*string
ContainerState = waiting:1:ContainerStateWaiting running:2:ContainerStateRunning
  terminated:3:ContainerStateTerminated
ContainerStateWaiting = reason:1:string message:2:string
ContainerStateRunning = startedAt:1:Time
ContainerStateTerminated = exitCode*:1:int32 signal:2:int32 reason:3:string message:4:string
  startedAt:5:Time finishedAt:6:Time containerID:7:string
VolumeMountStatus = name*:1:string mountPath*:2:string readOnly:3:bool recursiveReadOnly:4:*string
`;
