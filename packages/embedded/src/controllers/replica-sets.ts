import { pods } from '@skipper/api';
import { createInformer, hasReason, type Informer, type KubeClient } from '@skipper/kube';
import type { ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../contracts.ts';
import { createEventRecorder } from '../event-recorder.ts';
import { replicaSets } from '../kinds.ts';
import { controlledBy, controllerOf, fits, ownedBy, referenceTo } from './owned.ts';
import { isAvailable, isFinished, isGoing, isReady } from './pods.ts';
import { sameStatus } from './same-status.ts';
import { createWorkQueue, type WorkQueue } from '../work-queue.ts';

/** Keeps as many pods of a template as a ReplicaSet wants. */
export function startReplicaSetController(client: KubeClient, podInformer: Informer<Pod>, log: Log): WorkQueue {
  const sets = createInformer(client, replicaSets, { log });
  const recorder = createEventRecorder(client, 'replicaset-controller', log);
  const queue = createWorkQueue(reconcile, (key, error) => {
    if (!hasReason(error, 'Conflict', 'NotFound')) log(`replicaset ${key}: ${error.message}`);
  });
  sets.subscribe(({ object }) => queue.add(`${object.metadata!.namespace}/${object.metadata!.name}`));
  podInformer.subscribe(({ object }) => {
    const { namespace, labels } = object.metadata!;
    const owner = controllerOf(object);
    if (owner?.kind === 'ReplicaSet') queue.add(`${namespace}/${owner.name}`);
    else if (!owner)
      for (const set of sets.list(namespace)) if (fits(set.spec?.selector, labels)) queue.add(`${namespace}/${set.metadata!.name}`);
  });

  async function reconcile(key: string): Promise<void> {
    await Promise.all([sets.synced(), podInformer.synced()]);
    const [namespace, name] = key.split('/') as [string, string];
    // Asked of the server: a count from memory would make a pod twice.
    const set = sets.get(name, namespace) && (await client.find(replicaSets, name, { namespace }));
    if (!set || set.metadata!.deletionTimestamp) return;
    const { items } = await client.list(pods, { namespace });
    const own = await ownedBy(
      client,
      pods,
      items,
      { owner: set, type: replicaSets, selector: set.spec!.selector },
      (pod) => !isFinished(pod),
    );
    const alive = own.filter((pod) => !isGoing(pod) && !isFinished(pod));
    await scale(set, alive);
    const later = await writeStatus(set, alive);
    if (later !== undefined) queue.addAfter(key, later);
  }

  async function scale(set: ReplicaSet, alive: readonly Pod[]): Promise<void> {
    const { name, namespace } = set.metadata!;
    const reference = referenceTo(set, replicaSets);
    const wanted = set.spec!.replicas ?? 1;
    const { metadata, spec } = set.spec!.template!;
    for (let missing = wanted - alive.length; missing > 0; missing--) {
      try {
        const pod = await client.create(pods, {
          metadata: {
            ...metadata,
            name: undefined,
            generateName: `${name}-`,
            namespace,
            ownerReferences: [controlledBy(set, replicaSets)],
          },
          spec: spec!,
        });
        recorder.record(reference, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata!.name}`);
      } catch (error) {
        recorder.record(reference, 'Warning', 'FailedCreate', `Error creating: ${(error as Error).message}`);
        throw error;
      }
    }
    // Those that serve nobody go first, then the youngest.
    const surplus = [...alive].sort(
      (a, b) =>
        Number(isReady(a)) - Number(isReady(b)) ||
        String(b.metadata!.creationTimestamp).localeCompare(String(a.metadata!.creationTimestamp)),
    );
    for (const pod of surplus.slice(0, Math.max(0, alive.length - wanted))) {
      await client.delete(pods, pod.metadata!.name!, { namespace: namespace!, uid: pod.metadata!.uid! });
      recorder.record(reference, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata!.name}`);
    }
  }

  /** @returns ms after which a pod becomes available by time alone. */
  async function writeStatus(set: ReplicaSet, alive: readonly Pod[]): Promise<number | undefined> {
    const waits = alive.map((pod) => isAvailable(pod, set.spec!.minReadySeconds));
    const status = {
      replicas: alive.length,
      fullyLabeledReplicas: alive.length,
      readyReplicas: alive.filter(isReady).length,
      availableReplicas: waits.filter((wait) => wait === true).length,
      observedGeneration: set.metadata!.generation!,
    };
    const { name, namespace, uid } = set.metadata!;
    if (!sameStatus(set.status, status))
      await client.patch(replicaSets, name!, { metadata: { uid }, status }, { namespace: namespace!, subresource: 'status' });
    const later = waits.filter((wait) => typeof wait === 'number');
    return later.length > 0 ? Math.min(...later) : undefined;
  }

  return {
    ...queue,
    async close() {
      sets.close();
      await queue.close();
    },
  };
}
