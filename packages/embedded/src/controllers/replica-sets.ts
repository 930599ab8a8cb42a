import { pods } from '@skipper/api';
import { createInformer, hasReason, type Informer, type KubeClient } from '@skipper/kube';
import type { ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../contracts.ts';
import { replicaSets } from '../kinds.ts';
import { controlledBy, controllerOf, fits } from './owned.ts';
import { isAvailable, isFinished, isGoing, isReady } from './pods.ts';
import { sameStatus } from './same-status.ts';
import { createWorkQueue, type WorkQueue } from './work-queue.ts';

/** Keeps as many pods of a template as a ReplicaSet wants. */
export function startReplicaSetController(client: KubeClient, podInformer: Informer<Pod>, log: Log): WorkQueue {
  const sets = createInformer(client, replicaSets, { log });
  const queue = createWorkQueue(reconcile, (key, error) => {
    if (!hasReason(error, 'Conflict', 'NotFound')) log(`replicaset ${key}: ${error.message}`);
  });
  sets.subscribe(({ object }) => queue.add(`${object.metadata!.namespace}/${object.metadata!.name}`));
  podInformer.subscribe(({ object }) => {
    const owner = controllerOf(object);
    if (owner?.kind === 'ReplicaSet') queue.add(`${object.metadata!.namespace}/${owner.name}`);
    else if (!owner) for (const set of sets.list(object.metadata!.namespace)) if (fits(set.spec?.selector, object.metadata!.labels)) queue.add(`${set.metadata!.namespace}/${set.metadata!.name}`);
  });

  async function reconcile(key: string): Promise<void> {
    await Promise.all([sets.synced(), podInformer.synced()]);
    const [namespace, name] = key.split('/') as [string, string];
    const set = sets.get(name, namespace) && (await client.find(replicaSets, name, { namespace }));
    if (!set || set.metadata!.deletionTimestamp) return;
    const { items } = await client.list(pods, { namespace });
    const own = items.filter((pod) => controllerOf(pod)?.uid === set.metadata!.uid);
    for (const pod of items) {
      if (controllerOf(pod) || isGoing(pod) || !fits(set.spec!.selector, pod.metadata!.labels)) continue;
      own.push(await client.patch(pods, pod.metadata!.name!, { metadata: { uid: pod.metadata!.uid, ownerReferences: [...(pod.metadata!.ownerReferences ?? []), controlledBy(set, 'apps/v1', 'ReplicaSet')] } }, { namespace }));
    }
    const alive = own.filter((pod) => !isGoing(pod) && !isFinished(pod));
    const wanted = set.spec!.replicas ?? 1;
    for (let missing = wanted - alive.length; missing > 0; missing--) {
      const { metadata, spec } = set.spec!.template!;
      await client.create(pods, { metadata: { ...metadata, name: undefined, generateName: `${name}-`, namespace, ownerReferences: [controlledBy(set, 'apps/v1', 'ReplicaSet')] }, spec: spec! });
    }
    // Those that serve nobody go first, then the youngest.
    const surplus = [...alive].sort((a, b) => Number(isReady(a)) - Number(isReady(b)) || String(b.metadata!.creationTimestamp).localeCompare(String(a.metadata!.creationTimestamp)));
    for (const pod of surplus.slice(0, Math.max(0, alive.length - wanted))) await client.delete(pods, pod.metadata!.name!, { namespace, uid: pod.metadata!.uid! });
    const waits = alive.map((pod) => isAvailable(pod, set.spec!.minReadySeconds));
    const status = {
      replicas: alive.length,
      fullyLabeledReplicas: alive.length,
      readyReplicas: alive.filter(isReady).length,
      availableReplicas: waits.filter((wait) => wait === true).length,
      observedGeneration: set.metadata!.generation!,
    };
    if (!sameStatus(set.status, status)) await client.patch(replicaSets, name, { metadata: { uid: set.metadata!.uid }, status } as Partial<ReplicaSet>, { namespace, subresource: 'status' });
    const later = waits.filter((wait) => typeof wait === 'number');
    if (later.length > 0) queue.addAfter(key, Math.min(...later));
  }

  return {
    ...queue,
    async close() {
      sets.close();
      await queue.close();
    },
  };
}
