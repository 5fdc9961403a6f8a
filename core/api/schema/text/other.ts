/** Leases, endpoint slices, reviews and the bodies of subresources. The notation is explained in `../parse.ts`. */
export const OTHER_TYPES = `
Lease = apiVersion:0:string kind:0:string metadata:1:ObjectMeta spec:2:LeaseSpec
LeaseSpec = holderIdentity:1:*string leaseDurationSeconds:2:*int32 acquireTime:3:MicroTime
  renewTime:4:MicroTime leaseTransitions:5:*int32 strategy:6:*string preferredHolder:7:*string
PriorityClass = apiVersion:0:string kind:0:string metadata:1:ObjectMeta value*:2:int32
  globalDefault:3:bool description:4:string preemptionPolicy:5:*string
RuntimeClass = apiVersion:0:string kind:0:string metadata:1:ObjectMeta handler*:2:string
  overhead:3:Overhead scheduling:4:Scheduling
Overhead = podFixed:1:map:Quantity
Scheduling = nodeSelector:1:map:string tolerations:2:[]Toleration
EndpointSlice = apiVersion:0:string kind:0:string metadata:1:ObjectMeta addressType*:4:string
  endpoints*:2:[]Endpoint ports:3:[]EndpointPort
Endpoint = addresses*:1:[]string conditions:2:EndpointConditions hostname:3:*string
  targetRef:4:ObjectReference deprecatedTopology:5:map:string nodeName:6:*string zone:7:*string
  hints:8:EndpointHints
EndpointConditions = ready:1:*bool serving:2:*bool terminating:3:*bool
EndpointHints = forZones:1:[]ForZone forNodes:2:[]ForNode
ForZone = name*:1:string
ForNode = name*:1:string
EndpointPort = name:1:*string protocol:2:*string port:3:*int32 appProtocol:4:*string
SelfSubjectAccessReview = apiVersion:0:string kind:0:string metadata:1:ObjectMeta
  spec*:2:SelfSubjectAccessReviewSpec status:3:SubjectAccessReviewStatus
SelfSubjectAccessReviewSpec = resourceAttributes:1:ResourceAttributes
  nonResourceAttributes:2:NonResourceAttributes
ResourceAttributes = namespace:1:string verb:2:string group:3:string version:4:string
  resource:5:string subresource:6:string name:7:string fieldSelector:8:any labelSelector:9:any
NonResourceAttributes = path:1:string verb:2:string
SubjectAccessReviewStatus = allowed*:1:bool denied:4:bool reason:2:string evaluationError:3:string
SelfSubjectRulesReview = apiVersion:0:string kind:0:string metadata:1:ObjectMeta
  spec*:2:SelfSubjectRulesReviewSpec status:3:SubjectRulesReviewStatus
SelfSubjectRulesReviewSpec = namespace:1:string
SubjectRulesReviewStatus = resourceRules*:1:[]ResourceRule nonResourceRules*:2:[]NonResourceRule
  incomplete*:3:bool evaluationError:4:string
ResourceRule = verbs*:1:[]string apiGroups:2:[]string resources:3:[]string
  resourceNames:4:[]string
NonResourceRule = verbs*:1:[]string nonResourceURLs:2:[]string
SelfSubjectReview = apiVersion:0:string kind:0:string metadata:1:ObjectMeta
  status:2:SelfSubjectReviewStatus
SelfSubjectReviewStatus = userInfo:1:UserInfo
UserInfo = username:1:string uid:2:string groups:3:[]string extra:4:map:[]string
Scale = apiVersion:0:string kind:0:string metadata:1:ObjectMeta spec:2:ScaleSpec
  status:3:ScaleStatus
ScaleSpec = replicas:1:int32
ScaleStatus = replicas*:1:int32 selector:2:string
Eviction = apiVersion:0:string kind:0:string metadata:1:ObjectMeta deleteOptions:2:DeleteOptions
`;
