import type { Deployment, StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { ConfigMap, Namespace, PersistentVolumeClaim, Pod, Secret, Service } from 'kubernetes-types/core/v1.d.ts';
import type { Ingress, NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import {
  apps,
  configMaps,
  deployments,
  ingresses,
  labels,
  managedBy,
  namespaces,
  networkPolicies,
  persistentVolumeClaims,
  pods,
  secrets,
  services,
  statefulServices,
  statefulSets,
  type App,
  type KubeObject,
  type ResourceType,
  type StatefulService,
} from '@skipper/api';
import { createInformer, type Informer, type KubeClient } from '@skipper/kube';
import { imagesName, systemNamespace } from './images.ts';

/** Local copies of what users ask for and of everything that carries our label, one watch each for all controllers. */
export interface Caches {
  statefulServices: Informer<StatefulService>;
  apps: Informer<App>;
  /** Those of environments only. */
  environments: Informer<Namespace>;
  /** The one that says where images come from. */
  images: Informer<ConfigMap>;
  statefulSets: Informer<StatefulSet>;
  deployments: Informer<Deployment>;
  services: Informer<Service>;
  networkPolicies: Informer<NetworkPolicy>;
  ingresses: Informer<Ingress>;
  claims: Informer<PersistentVolumeClaim>;
  secrets: Informer<Secret>;
  pods: Informer<Pod>;
}

export function openCaches(client: KubeClient, log: (message: string) => void): Caches {
  const ours = <T extends KubeObject>(type: ResourceType<T>): Informer<T> =>
    createInformer(client, type, { labelSelector: `${labels.managedBy}=${managedBy}`, log });
  return {
    statefulServices: createInformer(client, statefulServices, { log }),
    apps: createInformer(client, apps, { log }),
    environments: createInformer(client, namespaces, { labelSelector: labels.environment, log }),
    images: createInformer(client, configMaps, { namespace: systemNamespace, fieldSelector: `metadata.name=${imagesName}`, log }),
    statefulSets: ours(statefulSets),
    deployments: ours(deployments),
    services: ours(services),
    networkPolicies: ours(networkPolicies),
    ingresses: ours(ingresses),
    claims: ours(persistentVolumeClaims),
    secrets: ours(secrets),
    pods: ours(pods),
  };
}

/** Resolves when everything is known. Rejects when the caches are closed before that. */
export async function synced(caches: Caches): Promise<void> {
  await Promise.all(all(caches).map((informer) => informer.synced()));
}

export function closeCaches(caches: Caches): void {
  for (const informer of all(caches)) informer.close();
}

/** What stands at a name, whoever made it: for a name that is not in the cache the server is asked, because an object of somebody else's may stand there. */
export async function look<T extends KubeObject>(
  client: KubeClient,
  cache: Informer<T>,
  type: ResourceType<T>,
  name: string,
  namespace: string,
): Promise<T | undefined> {
  return cache.get(name, namespace) ?? client.find(type, name, { namespace });
}

function all(caches: Caches): Informer<KubeObject>[] {
  return Object.values(caches) as Informer<KubeObject>[];
}
