import type { ResourceType } from '@skipper/api';
import type { ControllerRevision } from 'kubernetes-types/apps/v1.d.ts';
import type { Endpoints, PersistentVolume, ServiceAccount } from 'kubernetes-types/core/v1.d.ts';

export { configMaps, deployments, replicaSets } from '@skipper/api';

/** Kinds that the embedded cluster's own controllers and node use and that nobody else in the product does. */
export const endpoints: ResourceType<Endpoints> = { group: '', version: 'v1', kind: 'Endpoints', plural: 'endpoints', namespaced: true };
export const persistentVolumes: ResourceType<PersistentVolume> = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  namespaced: false,
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
