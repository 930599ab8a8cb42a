import type { ResourceType } from '@skipper/api';
import type { ControllerRevision, Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';
import type { ConfigMap, Endpoints, PersistentVolume, ServiceAccount } from 'kubernetes-types/core/v1.d.ts';

/** Kinds that the embedded cluster's own controllers and node use and that nobody else in the product does. */
export const configMaps: ResourceType<ConfigMap> = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
export const endpoints: ResourceType<Endpoints> = { group: '', version: 'v1', kind: 'Endpoints', plural: 'endpoints', namespaced: true };
export const persistentVolumes: ResourceType<PersistentVolume> = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  namespaced: false,
};
export const deployments: ResourceType<Deployment> = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
};
export const replicaSets: ResourceType<ReplicaSet> = {
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  namespaced: true,
};
export const controllerRevisions: ResourceType<ControllerRevision> = {
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  namespaced: true,
};
export const serviceAccounts: ResourceType<ServiceAccount> = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  namespaced: true,
};
