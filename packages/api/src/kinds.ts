import type { Deployment, ReplicaSet, StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { ConfigMap, Event, Namespace, Node, PersistentVolumeClaim, Pod, Secret, Service } from 'kubernetes-types/core/v1.d.ts';
import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { CustomResourceDefinition } from 'kubernetes-types/apiextensions/v1.d.ts';
import type { Ingress, NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import type { StorageClass } from 'kubernetes-types/storage/v1.d.ts';
import type { App } from './app.ts';
import type { StatefulService } from './stateful-service.ts';
import type { KubeObject, ResourceType } from './resource.ts';

const core = <T extends KubeObject>(kind: string, plural: string, namespaced = true): ResourceType<T> => ({
  group: '',
  version: 'v1',
  kind,
  plural,
  namespaced,
});

export const pods = core<Pod>('Pod', 'pods');
export const services = core<Service>('Service', 'services');
export const secrets = core<Secret>('Secret', 'secrets');
export const configMaps = core<ConfigMap>('ConfigMap', 'configmaps');
export const events = core<Event>('Event', 'events');
export const namespaces = core<Namespace>('Namespace', 'namespaces', false);
export const nodes = core<Node>('Node', 'nodes', false);
export const persistentVolumeClaims = core<PersistentVolumeClaim>('PersistentVolumeClaim', 'persistentvolumeclaims');
export const statefulSets: ResourceType<StatefulSet> = {
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
  namespaced: true,
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
export const leases: ResourceType<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};
export const networkPolicies: ResourceType<NetworkPolicy> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  namespaced: true,
};
export const ingresses: ResourceType<Ingress> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  namespaced: true,
};
export const storageClasses: ResourceType<StorageClass> = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  namespaced: false,
};
export const customResourceDefinitions: ResourceType<CustomResourceDefinition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

/** The API group of Skipper's own resources. */
export const skipperGroup = 'skipper.dev';
export const statefulServices: ResourceType<StatefulService> = {
  group: skipperGroup,
  version: 'v1alpha1',
  kind: 'StatefulService',
  plural: 'statefulservices',
  namespaced: true,
};

export const apps: ResourceType<App> = {
  group: skipperGroup,
  version: 'v1alpha1',
  kind: 'App',
  plural: 'apps',
  namespaced: true,
};
