import type { ResourceType } from '@skipper/api';
import type { ApiObject, KindDefinition } from '../../contracts.ts';
import { claimStrategy } from './strategies/claim.ts';
import { customResourceDefinitionStrategy } from './strategies/custom-resource-definition.ts';
import { namespaceStrategy } from './strategies/namespace.ts';
import { podStrategy } from './strategies/pod.ts';
import { dataStrategy } from './strategies/data.ts';
import { serviceStrategy } from './strategies/service.ts';
import { deploymentStrategy, replicaSetStrategy, statefulSetStrategy } from './strategies/workload.ts';

type Extras = Partial<
  Pick<
    KindDefinition,
    'shortNames' | 'categories' | 'status' | 'scale' | 'selectableFields' | 'verbs' | 'strategy' | 'storage' | 'singular'
  >
>;

function define(groupVersion: string, kind: string, plural: string, namespaced: boolean, extras: Extras = {}): KindDefinition {
  const [group, version] = groupVersion.includes('/') ? (groupVersion.split('/') as [string, string]) : ['', groupVersion];
  const type: ResourceType = { group, version, kind, plural, namespaced };
  return {
    type,
    singular: kind.toLowerCase(),
    listKind: `${kind}List`,
    shortNames: [],
    categories: [],
    storage: `${group || 'core'}/${plural}`,
    status: false,
    strategy: {},
    ...extras,
  };
}

const replicas = { spec: '.spec.replicas', status: '.status.replicas', selector: '.status.selector' };
const all = ['all'];
const field = (path: string): ((object: ApiObject) => string) => {
  const parts = path.split('.');
  return (object) => String(parts.reduce<any>((at, part) => at?.[part], object) ?? '');
};
const fields = (...paths: string[]): Record<string, (object: ApiObject) => string> =>
  Object.fromEntries(paths.map((path) => [path, field(path)]));
const eventFields = fields(
  'involvedObject.kind',
  'involvedObject.namespace',
  'involvedObject.name',
  'involvedObject.uid',
  'involvedObject.apiVersion',
  'involvedObject.fieldPath',
  'reason',
  'type',
  'source',
  'reportingComponent',
);

/** Every built-in kind that is served. */
export const builtinKinds: readonly KindDefinition[] = [
  define('v1', 'Namespace', 'namespaces', false, {
    shortNames: ['ns'],
    status: true,
    strategy: namespaceStrategy,
    selectableFields: fields('status.phase'),
  }),
  define('v1', 'Pod', 'pods', true, {
    shortNames: ['po'],
    categories: all,
    status: true,
    strategy: podStrategy,
    selectableFields: fields(
      'spec.nodeName',
      'spec.restartPolicy',
      'spec.serviceAccountName',
      'status.phase',
      'status.podIP',
      'status.nominatedNodeName',
    ),
  }),
  define('v1', 'Service', 'services', true, {
    shortNames: ['svc'],
    categories: all,
    status: true,
    strategy: serviceStrategy,
    selectableFields: fields('spec.clusterIP', 'spec.type'),
  }),
  define('v1', 'Endpoints', 'endpoints', true, { shortNames: ['ep'], singular: 'endpoints' }),
  define('v1', 'Secret', 'secrets', true, { strategy: dataStrategy, selectableFields: fields('type') }),
  define('v1', 'ConfigMap', 'configmaps', true, { shortNames: ['cm'], strategy: dataStrategy }),
  define('v1', 'ServiceAccount', 'serviceaccounts', true, { shortNames: ['sa'] }),
  define('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', true, { shortNames: ['pvc'], status: true, strategy: claimStrategy }),
  define('v1', 'PersistentVolume', 'persistentvolumes', false, { shortNames: ['pv'], status: true }),
  define('v1', 'Event', 'events', true, { shortNames: ['ev'], selectableFields: eventFields, storage: 'core/events' }),
  define('v1', 'Node', 'nodes', false, { shortNames: ['no'], status: true, selectableFields: fields('spec.unschedulable') }),
  define('v1', 'ResourceQuota', 'resourcequotas', true, { shortNames: ['quota'], status: true }),
  define('v1', 'LimitRange', 'limitranges', true, { shortNames: ['limits'] }),
  define('apps/v1', 'StatefulSet', 'statefulsets', true, {
    shortNames: ['sts'],
    categories: all,
    status: true,
    scale: replicas,
    strategy: statefulSetStrategy,
  }),
  define('apps/v1', 'Deployment', 'deployments', true, {
    shortNames: ['deploy'],
    categories: all,
    status: true,
    scale: replicas,
    strategy: deploymentStrategy,
  }),
  define('apps/v1', 'ReplicaSet', 'replicasets', true, {
    shortNames: ['rs'],
    categories: all,
    status: true,
    scale: replicas,
    strategy: replicaSetStrategy,
  }),
  define('apps/v1', 'ControllerRevision', 'controllerrevisions', true),
  define('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies', true, { shortNames: ['netpol'] }),
  define('networking.k8s.io/v1', 'Ingress', 'ingresses', true, { shortNames: ['ing'], status: true }),
  define('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets', true, { shortNames: ['pdb'], status: true }),
  define('coordination.k8s.io/v1', 'Lease', 'leases', true),
  define('storage.k8s.io/v1', 'StorageClass', 'storageclasses', false, { shortNames: ['sc'] }),
  define('rbac.authorization.k8s.io/v1', 'Role', 'roles', true),
  define('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings', true),
  define('rbac.authorization.k8s.io/v1', 'ClusterRole', 'clusterroles', false),
  define('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', 'clusterrolebindings', false),
  define('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions', false, {
    shortNames: ['crd', 'crds'],
    status: true,
    strategy: customResourceDefinitionStrategy,
  }),
  // Questions that are answered at once and never stored.
  define('authorization.k8s.io/v1', 'SelfSubjectAccessReview', 'selfsubjectaccessreviews', false, { verbs: ['create'] }),
  define('authentication.k8s.io/v1', 'SelfSubjectReview', 'selfsubjectreviews', false, { verbs: ['create'] }),
];
