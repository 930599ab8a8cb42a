/**
 * What Kubernetes fills in when it stores an object of a built-in type, by the type's name: fixed values, or a function where one
 * depends on another. From pkg/apis/<group>/v1/defaults.go of Kubernetes.
 */
type Fields = Record<string, any>;
export type TypeDefaults = Readonly<Record<string, unknown>> | ((object: Fields) => void);

const core = (name: string): string => `io.k8s.api.core.v1.${name}`;
const apps = (name: string): string => `io.k8s.api.apps.v1.${name}`;
/** 0644. */
const fileMode = { defaultMode: 420 };
const probe = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 };
const rbacGroup = 'rbac.authorization.k8s.io';

function fill(object: Fields, defaults: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(defaults))
    if (object[name] === undefined || object[name] === null) object[name] = structuredClone(value);
}

function pullPolicy(image: unknown): string {
  if (typeof image !== 'string' || image.includes('@')) return 'IfNotPresent';
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function container(object: Fields): void {
  fill(object, {
    resources: {},
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: pullPolicy(object.image),
  });
}

function rollingUpdate(field: string, values: Readonly<Record<string, unknown>>): (object: Fields) => void {
  return (object) => {
    const strategy = (object[field] ??= {});
    if (typeof strategy !== 'object') return;
    strategy.type ??= 'RollingUpdate';
    if (strategy.type === 'RollingUpdate') fill((strategy.rollingUpdate ??= {}), values);
  };
}

const deploymentStrategy = rollingUpdate('strategy', { maxUnavailable: '25%', maxSurge: '25%' });
const statefulStrategy = rollingUpdate('updateStrategy', { partition: 0, maxUnavailable: 1 });
const daemonStrategy = rollingUpdate('updateStrategy', { maxUnavailable: 1, maxSurge: 0 });

export const builtinDefaults: Readonly<Record<string, TypeDefaults>> = {
  [core('Pod')]: (pod) => {
    const { spec } = pod;
    if (!spec) return;
    fill(spec, { enableServiceLinks: true });
    for (const { resources } of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
      for (const [name, amount] of Object.entries(resources?.limits ?? {})) (resources.requests ??= {})[name] ??= amount;
    }
  },
  [core('PodSpec')]: {
    dnsPolicy: 'ClusterFirst',
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    securityContext: {},
    schedulerName: 'default-scheduler',
  },
  [core('Container')]: container,
  [core('ContainerPort')]: { protocol: 'TCP' },
  [core('Probe')]: probe,
  [core('HTTPGetAction')]: { path: '/', scheme: 'HTTP' },
  [core('GRPCAction')]: { service: '' },
  [core('ObjectFieldSelector')]: { apiVersion: 'v1' },
  [core('ResourceFieldSelector')]: { divisor: '0' },
  [core('Volume')]: (volume) => {
    if (Object.keys(volume).every((name) => name === 'name')) volume.emptyDir = {};
  },
  [core('SecretVolumeSource')]: fileMode,
  [core('ConfigMapVolumeSource')]: fileMode,
  [core('DownwardAPIVolumeSource')]: fileMode,
  [core('ProjectedVolumeSource')]: fileMode,
  [core('ServiceAccountTokenProjection')]: { expirationSeconds: 3600 },
  [core('HostPathVolumeSource')]: { type: '' },
  [core('Secret')]: { type: 'Opaque' },
  [core('PersistentVolumeClaimSpec')]: { volumeMode: 'Filesystem' },
  [core('PersistentVolumeSpec')]: { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' },
  [core('ServiceSpec')]: (spec) => {
    fill(spec, { sessionAffinity: 'None', type: 'ClusterIP' });
    if (spec.type === 'ExternalName') return;
    fill(spec, { internalTrafficPolicy: 'Cluster' });
    if (spec.sessionAffinity === 'ClientIP') fill((spec.sessionAffinityConfig ??= {}), { clientIP: { timeoutSeconds: 10_800 } });
    if (spec.type !== 'ClusterIP') fill(spec, { externalTrafficPolicy: 'Cluster' });
    if (spec.type === 'LoadBalancer') fill(spec, { allocateLoadBalancerNodePorts: true });
  },
  [core('ServicePort')]: (port) => fill(port, { protocol: 'TCP', targetPort: port.port }),
  [core('EndpointPort')]: { protocol: 'TCP' },
  [core('LimitRangeItem')]: (item) => {
    if (item.type !== 'Container' || !item.max) return;
    for (const [name, amount] of Object.entries(item.max)) (item.default ??= {})[name] ??= amount;
    for (const [name, amount] of Object.entries(item.default ?? {})) (item.defaultRequest ??= {})[name] ??= amount;
  },
  [apps('DeploymentSpec')]: (spec) => {
    fill(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 });
    deploymentStrategy(spec);
  },
  [apps('ReplicaSetSpec')]: { replicas: 1 },
  [apps('DaemonSetSpec')]: (spec) => {
    fill(spec, { revisionHistoryLimit: 10 });
    daemonStrategy(spec);
  },
  [apps('StatefulSetSpec')]: (spec) => {
    fill(spec, { podManagementPolicy: 'OrderedReady', replicas: 1, revisionHistoryLimit: 10, persistentVolumeClaimRetentionPolicy: {} });
    fill(spec.persistentVolumeClaimRetentionPolicy, { whenDeleted: 'Retain', whenScaled: 'Retain' });
    statefulStrategy(spec);
    for (const claim of spec.volumeClaimTemplates ?? [])
      fill(claim, { apiVersion: 'v1', kind: 'PersistentVolumeClaim', status: { phase: 'Pending' } });
  },
  'io.k8s.api.networking.v1.NetworkPolicySpec': (spec) => {
    if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
  },
  'io.k8s.api.networking.v1.NetworkPolicyPort': { protocol: 'TCP' },
  'io.k8s.api.storage.v1.StorageClass': { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' },
  'io.k8s.api.batch.v1.JobSpec': (spec) => {
    if (spec.completions === undefined && spec.parallelism === undefined) fill(spec, { completions: 1 });
    fill(spec, {
      parallelism: 1,
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      suspend: false,
      podReplacementPolicy: 'TerminatingOrFailed',
    });
  },
  'io.k8s.api.batch.v1.CronJobSpec': {
    concurrencyPolicy: 'Allow',
    suspend: false,
    successfulJobsHistoryLimit: 3,
    failedJobsHistoryLimit: 1,
  },
  'io.k8s.api.rbac.v1.RoleRef': { apiGroup: rbacGroup },
  'io.k8s.api.rbac.v1.Subject': (subject) => fill(subject, subject.kind === 'ServiceAccount' ? {} : { apiGroup: rbacGroup }),
};
