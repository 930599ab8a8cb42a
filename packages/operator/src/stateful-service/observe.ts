import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { PersistentVolumeClaim, Pod, Secret, Service } from 'kubernetes-types/core/v1.d.ts';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import {
  childNames,
  networkPolicies,
  persistentVolumeClaims,
  secrets,
  services,
  statefulSets,
  type KubeObject,
  type ResourceType,
} from '@skipper/api';
import type { Informer, KubeClient } from '@skipper/kube';

/** Local copies of everything that carries our label. */
export interface Caches {
  statefulSets: Informer<StatefulSet>;
  services: Informer<Service>;
  networkPolicies: Informer<NetworkPolicy>;
  claims: Informer<PersistentVolumeClaim>;
  secrets: Informer<Secret>;
  pods: Informer<Pod>;
}

/** What stands at the names of a service's children, whoever made it. */
export interface Observed {
  statefulSet: StatefulSet | undefined;
  headlessService: Service | undefined;
  networkPolicy: NetworkPolicy | undefined;
  claim: PersistentVolumeClaim | undefined;
  secret: Secret | undefined;
  pod: Pod | undefined;
}

/** The caches hold what carries our label; for a name that is not in them the server is asked, because an object of somebody else's may stand there. */
export async function observe(client: KubeClient, caches: Caches, namespace: string, name: string): Promise<Observed> {
  const look = async <T extends KubeObject>(cache: Informer<T>, type: ResourceType<T>, child: string): Promise<T | undefined> =>
    cache.get(child, namespace) ?? client.find(type, child, { namespace });
  const [statefulSet, headlessService, networkPolicy, claim, secret] = await Promise.all([
    look(caches.statefulSets, statefulSets, childNames.statefulSet(name)),
    look(caches.services, services, childNames.headlessService(name)),
    look(caches.networkPolicies, networkPolicies, childNames.networkPolicy(name)),
    look(caches.claims, persistentVolumeClaims, childNames.claim(name)),
    look(caches.secrets, secrets, childNames.credentials(name)),
  ]);
  // A pod is only read, never made: the cache is enough.
  return { statefulSet, headlessService, networkPolicy, claim, secret, pod: caches.pods.get(childNames.pod(name), namespace) };
}
