import type { ResourceType } from '@skipper/api';
import type { Endpoints, PersistentVolume, ServiceAccount } from 'kubernetes-types/core/v1.d.ts';

export { configMaps, deployments, replicaSets } from '@skipper/api';

/** Kinds that the suite uses and the product does not name. */
export const endpoints: ResourceType<Endpoints> = { group: '', version: 'v1', kind: 'Endpoints', plural: 'endpoints', namespaced: true };
export const serviceAccounts: ResourceType<ServiceAccount> = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  namespaced: true,
};
export const persistentVolumes: ResourceType<PersistentVolume> = {
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  namespaced: false,
};
