import { persistentVolumeClaims, pods, statefulSets } from '@skipper/api';
import { createInformer, hasReason, type Informer, type KubeClient } from '@skipper/kube';
import type { StatefulSet, StatefulSetStatus } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../contracts.ts';
import { controllerRevisions } from '../kinds.ts';
import { controlledBy, controllerOf } from './owned.ts';
import { isAvailable, isFinished, isGoing, isReady, templateHash } from './pods.ts';
import { sameStatus } from './same-status.ts';
import { createWorkQueue, type WorkQueue } from './work-queue.ts';

const revisionLabel = 'controller-revision-hash';

/** Keeps the pods of StatefulSets: in order, each with its own claims. */
export function startStatefulSetController(client: KubeClient, podInformer: Informer<Pod>, log: Log): WorkQueue {
  const sets = createInformer(client, statefulSets, { log });
  const queue = createWorkQueue(reconcile, (key, error) => {
    if (!hasReason(error, 'Conflict', 'NotFound')) log(`statefulset ${key}: ${error.message}`);
  });
  sets.subscribe(({ object }) => queue.add(`${object.metadata!.namespace}/${object.metadata!.name}`));
  podInformer.subscribe(({ object }) => {
    const owner = controllerOf(object);
    if (owner?.kind === 'StatefulSet') queue.add(`${object.metadata!.namespace}/${owner.name}`);
  });

  async function reconcile(key: string): Promise<void> {
    await Promise.all([sets.synced(), podInformer.synced()]);
    const [namespace, name] = key.split('/') as [string, string];
    // Fresh, because a pod made for an outdated template would have to go again.
    const set = sets.get(name, namespace) && (await client.find(statefulSets, name, { namespace }));
    if (!set || set.metadata!.deletionTimestamp) return;
    const { items } = await client.list(pods, { namespace });
    const own = items.filter((pod) => controllerOf(pod)?.uid === set.metadata!.uid);
    const revision = `${name}-${templateHash(set.spec!.template)}`;
    await recordRevision(set, revision);
    const current = set.status?.currentRevision ?? revision;
    const later = await scaleAndRoll(set, own, revision, current);
    await writeStatus(set, own, revision, current);
    if (later !== undefined) queue.addAfter(key, later);
  }

  async function recordRevision(set: StatefulSet, revision: string): Promise<void> {
    const { namespace } = set.metadata!;
    if (set.status?.updateRevision === revision) return;
    await client.create(controllerRevisions, {
      metadata: { name: revision, namespace: namespace!, labels: set.spec!.template.metadata?.labels, ownerReferences: [controlledBy(set, 'apps/v1', 'StatefulSet')] },
      data: { spec: { template: set.spec!.template } } as never, revision: set.metadata!.generation ?? 1,
    }).catch((error: unknown) => {
      if (!hasReason(error, 'AlreadyExists')) throw error;
    });
  }

  /** Does what can be done now. @returns ms after which to look again when only time is waited for. */
  async function scaleAndRoll(set: StatefulSet, own: readonly Pod[], revision: string, current: string): Promise<number | undefined> {
    const { replicas = 1, podManagementPolicy, minReadySeconds, updateStrategy } = set.spec!;
    const first = (set.spec as { ordinals?: { start?: number } }).ordinals?.start ?? 0;
    const byOrdinal = new Map(own.map((pod) => [ordinalOf(pod), pod]));
    const parallel = podManagementPolicy === 'Parallel';
    for (let ordinal = first; ordinal < first + replicas; ordinal++) {
      const pod = byOrdinal.get(ordinal);
      if (!pod) {
        const partition = updateStrategy?.type === 'RollingUpdate' ? (updateStrategy.rollingUpdate?.partition ?? 0) : 0;
        await createPod(set, ordinal, ordinal >= first + partition ? revision : current);
      } else if (isFinished(pod) && !isGoing(pod)) {
        await remove(pod);
        return undefined;
      }
      if (parallel) continue;
      const available = pod && !isGoing(pod) ? isAvailable(pod, minReadySeconds) : false;
      if (available === true) continue;
      // A pod of an old template that cannot become ready must not keep its successor from coming.
      if (pod && !isGoing(pod) && !isReady(pod) && pod.metadata!.labels?.[revisionLabel] !== revision && updateStrategy?.type !== 'OnDelete') await remove(pod);
      return typeof available === 'number' ? available : undefined;
    }
    const surplus = own.filter((pod) => ordinalOf(pod) < first || ordinalOf(pod) >= first + replicas).sort((a, b) => ordinalOf(b) - ordinalOf(a));
    for (const pod of surplus) {
      if (!isGoing(pod)) await remove(pod);
      if (!parallel) return undefined;
    }
    if (updateStrategy?.type === 'OnDelete') return undefined;
    const partition = updateStrategy?.rollingUpdate?.partition ?? 0;
    for (let ordinal = first + replicas - 1; ordinal >= first + partition; ordinal--) {
      const pod = byOrdinal.get(ordinal);
      if (!pod || isGoing(pod)) return undefined;
      if (pod.metadata!.labels?.[revisionLabel] !== revision) {
        await remove(pod);
        return undefined;
      }
      if (!isReady(pod)) return undefined;
    }
    return undefined;
  }

  async function createPod(set: StatefulSet, ordinal: number, revision: string): Promise<void> {
    const { name, namespace } = set.metadata!;
    const { volumeClaimTemplates = [], serviceName } = set.spec!;
    let { template } = set.spec!;
    if (revision !== `${name}-${templateHash(template)}`) {
      const recorded = await client.find(controllerRevisions, revision, { namespace: namespace! });
      const kept = (recorded?.data as { spec?: { template?: typeof template } } | undefined)?.spec?.template;
      if (kept) template = kept;
    }
    const podName = `${name}-${ordinal}`;
    const claimOf = (claim: string): string => `${claim}-${podName}`;
    for (const claim of volumeClaimTemplates) {
      await client.create(persistentVolumeClaims, {
        metadata: { name: claimOf(claim.metadata!.name!), namespace: namespace!, labels: { ...claim.metadata!.labels, ...set.spec!.selector.matchLabels }, annotations: claim.metadata!.annotations },
        spec: claim.spec!,
      }).catch((error: unknown) => {
        if (!hasReason(error, 'AlreadyExists')) throw error;
      });
    }
    const claimed = new Set(volumeClaimTemplates.map(({ metadata }) => metadata!.name!));
    const volumes = [
      ...(template.spec?.volumes ?? []).filter((volume) => !claimed.has(volume.name)),
      ...[...claimed].map((volume) => ({ name: volume, persistentVolumeClaim: { claimName: claimOf(volume) } })),
    ];
    await client.create(pods, {
      metadata: {
        name: podName, namespace: namespace!, annotations: template.metadata?.annotations, ownerReferences: [controlledBy(set, 'apps/v1', 'StatefulSet')],
        labels: { ...template.metadata?.labels, [revisionLabel]: revision, 'statefulset.kubernetes.io/pod-name': podName, 'apps.kubernetes.io/pod-index': String(ordinal) },
      },
      spec: { ...template.spec!, hostname: podName, subdomain: serviceName, volumes },
    }).catch((error: unknown) => {
      if (!hasReason(error, 'AlreadyExists')) throw error;
    });
  }

  async function remove({ metadata }: Pod): Promise<void> {
    await client.delete(pods, metadata!.name!, { namespace: metadata!.namespace!, uid: metadata!.uid! });
  }

  async function writeStatus(set: StatefulSet, own: readonly Pod[], revision: string, current: string): Promise<void> {
    const { replicas = 1, minReadySeconds, updateStrategy } = set.spec!;
    const alive = own.filter((pod) => !isGoing(pod) && !isFinished(pod));
    const updated = alive.filter((pod) => pod.metadata!.labels?.[revisionLabel] === revision);
    const done = updated.length === replicas && updated.every(isReady) && alive.length === replicas && !updateStrategy?.rollingUpdate?.partition;
    const currentRevision = done ? revision : current;
    const status: StatefulSetStatus = {
      observedGeneration: set.metadata!.generation!,
      replicas: own.length,
      readyReplicas: alive.filter(isReady).length,
      availableReplicas: alive.filter((pod) => isAvailable(pod, minReadySeconds) === true).length,
      currentReplicas: alive.filter((pod) => pod.metadata!.labels?.[revisionLabel] === currentRevision).length,
      updatedReplicas: updated.length,
      currentRevision,
      updateRevision: revision,
      collisionCount: 0,
    } as StatefulSetStatus;
    if (sameStatus(set.status, status)) return;
    await client.patch(statefulSets, set.metadata!.name!, { metadata: { uid: set.metadata!.uid }, status }, { namespace: set.metadata!.namespace!, subresource: 'status' });
  }

  return {
    ...queue,
    async close() {
      sets.close();
      await queue.close();
    },
  };
}

function ordinalOf({ metadata }: Pod): number {
  return Number(/-(\d+)$/.exec(metadata!.name!)?.[1] ?? -1);
}
