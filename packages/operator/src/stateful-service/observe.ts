import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { PersistentVolumeClaim, Pod, Secret, Service } from 'kubernetes-types/core/v1.d.ts';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import { childNames, networkPolicies, persistentVolumeClaims, secrets, services, statefulSets } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import { look, type Caches } from '../caches.ts';

/** What stands at the names of a service's children, whoever made it. */
export interface Observed {
  statefulSet: StatefulSet | undefined;
  headlessService: Service | undefined;
  networkPolicy: NetworkPolicy | undefined;
  claim: PersistentVolumeClaim | undefined;
  secret: Secret | undefined;
  pod: Pod | undefined;
}

export async function observe(client: KubeClient, caches: Caches, namespace: string, name: string): Promise<Observed> {
  const [statefulSet, headlessService, networkPolicy, claim, secret] = await Promise.all([
    look(client, caches.statefulSets, statefulSets, childNames.statefulSet(name), namespace),
    look(client, caches.services, services, childNames.headlessService(name), namespace),
    look(client, caches.networkPolicies, networkPolicies, childNames.networkPolicy(name), namespace),
    look(client, caches.claims, persistentVolumeClaims, childNames.claim(name), namespace),
    look(client, caches.secrets, secrets, childNames.credentials(name), namespace),
  ]);
  // A pod is only read, never made: the cache is enough.
  return { statefulSet, headlessService, networkPolicy, claim, secret, pod: caches.pods.get(childNames.pod(name), namespace) };
}
