import { persistentVolumeClaims, pods, statefulSets } from '@skipper/api';
import { createInformer, hasReason, type Informer, type KubeClient } from '@skipper/kube';
import type { StatefulSet, StatefulSetStatus } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from '../contracts.ts';
import { createEventRecorder } from '../event-recorder.ts';
import { controllerOf, ownedBy, referenceTo } from './owned.ts';
import { isAvailable, isFinished, isGoing, isReady, templateHash } from './pods.ts';
import { recordRevision, templateOf } from './revisions.ts';
import { sameStatus } from './same-status.ts';
import { claimsOf, isClaimGoing, ownClaims } from './stateful-set-claims.ts';
import { ordinalOf, ordinalsOf, podOf, revisionLabel } from './stateful-set-pods.ts';
import { createWorkQueue, type WorkQueue } from '../work-queue.ts';

/** How soon to look again at a claim of a former pod that is still going. */
const claimGoingMs = 500;

/** What is known of one set during one pass. */
interface Observation {
  set: StatefulSet;
  own: readonly Pod[];
  /** Of the template now, and of the pods that are not to be changed yet. */
  update: string;
  current: string;
}

/** Keeps the pods of StatefulSets: in order, each with its own claims. */
export function startStatefulSetController(client: KubeClient, podInformer: Informer<Pod>, log: Log): WorkQueue {
  const sets = createInformer(client, statefulSets, { log });
  const recorder = createEventRecorder(client, 'statefulset-controller', log);
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
    const claimant = { owner: set, type: statefulSets, selector: set.spec!.selector };
    const own = await ownedBy(client, pods, items, claimant, ({ metadata }) => metadata!.name!.replace(/-\d+$/, '') === name);
    const update = `${name}-${templateHash(set.spec!.template)}`;
    await recordRevision(client, set, update, own);
    const seen: Observation = { set, own, update, current: set.status?.currentRevision || update };
    // Before a pod is scaled away: its claims may have to go with it.
    await ownClaims(client, set, own);
    const waits = [await scaleAndRoll(seen), await writeStatus(seen)].filter((wait) => wait !== undefined);
    if (waits.length > 0) queue.addAfter(key, Math.min(...waits));
  }

  /** Does what can be done now. @returns ms after which to look again when only time is waited for. */
  async function scaleAndRoll(seen: Observation): Promise<number | undefined> {
    const { set, own, update } = seen;
    const { podManagementPolicy, minReadySeconds, updateStrategy } = set.spec!;
    const { first, count } = ordinalsOf(set);
    const byOrdinal = new Map(own.map((pod) => [ordinalOf(pod), pod]));
    const parallel = podManagementPolicy === 'Parallel';
    const rolls = updateStrategy?.type !== 'OnDelete';
    const firstRolled = first + (updateStrategy?.rollingUpdate?.partition ?? 0);
    const isOutdated = (pod: Pod): boolean => pod.metadata!.labels?.[revisionLabel] !== update;

    let wait: number | undefined;
    for (let ordinal = first; ordinal < first + count; ordinal++) {
      const pod = byOrdinal.get(ordinal);
      if (!pod) {
        wait = await createPod(seen, ordinal, rolls && ordinal < firstRolled ? seen.current : update);
      } else if (isFinished(pod) && !isGoing(pod)) await remove(set, pod);
      if (parallel) continue;
      const available = pod && !isGoing(pod) && !isFinished(pod) ? isAvailable(pod, minReadySeconds) : false;
      if (available === true) continue;
      // A pod of an old template that cannot become ready must not keep its successor from coming.
      if (rolls && ordinal >= firstRolled && pod && !isGoing(pod) && !isFinished(pod) && !isReady(pod) && isOutdated(pod))
        await remove(set, pod);
      return typeof available === 'number' ? available : wait;
    }
    const surplus = own
      .filter((pod) => ordinalOf(pod) < first || ordinalOf(pod) >= first + count)
      .sort((a, b) => ordinalOf(b) - ordinalOf(a));
    for (const pod of surplus) {
      if (!isGoing(pod)) await remove(set, pod);
      if (!parallel) return undefined;
    }
    if (!rolls) return wait;
    for (let ordinal = first + count - 1; ordinal >= firstRolled; ordinal--) {
      const pod = byOrdinal.get(ordinal);
      if (!pod || isGoing(pod)) return wait;
      if (isOutdated(pod)) {
        await remove(set, pod);
        return wait;
      }
      const available = isAvailable(pod, minReadySeconds);
      if (available !== true) return typeof available === 'number' ? available : wait;
    }
    return wait;
  }

  /** @returns ms after which to try again when a claim of that name is still going. */
  async function createPod({ set, update }: Observation, ordinal: number, revision: string): Promise<number | undefined> {
    const namespace = set.metadata!.namespace!;
    const reference = referenceTo(set, statefulSets);
    const template = revision === update ? undefined : await templateOf(client, namespace, revision);
    const pod = template ? podOf(set, template, ordinal, revision) : podOf(set, set.spec!.template, ordinal, update);
    const { name } = pod.metadata!;
    try {
      for (const claim of claimsOf(set, ordinal)) {
        const found = await client.find(persistentVolumeClaims, claim.metadata!.name!, { namespace });
        if (found && isClaimGoing(found, name!)) return claimGoingMs;
        if (found) continue;
        await client.create(persistentVolumeClaims, claim);
        recorder.record(
          reference,
          'Normal',
          'SuccessfulCreate',
          `create Claim ${claim.metadata!.name} Pod ${name} in StatefulSet ${set.metadata!.name} success`,
        );
      }
      await client.create(pods, pod);
    } catch (error) {
      recorder.record(
        reference,
        'Warning',
        'FailedCreate',
        `create Pod ${name} in StatefulSet ${set.metadata!.name} failed error: ${(error as Error).message}`,
      );
      throw error;
    }
    recorder.record(reference, 'Normal', 'SuccessfulCreate', `create Pod ${name} in StatefulSet ${set.metadata!.name} successful`);
    return undefined;
  }

  async function remove(set: StatefulSet, { metadata }: Pod): Promise<void> {
    await client.delete(pods, metadata!.name!, { namespace: metadata!.namespace!, uid: metadata!.uid! });
    recorder.record(
      referenceTo(set, statefulSets),
      'Normal',
      'SuccessfulDelete',
      `delete Pod ${metadata!.name} in StatefulSet ${set.metadata!.name} successful`,
    );
  }

  /** @returns ms after which a pod becomes available by time alone. */
  async function writeStatus({ set, own, update, current }: Observation): Promise<number | undefined> {
    const { minReadySeconds, updateStrategy } = set.spec!;
    const { count } = ordinalsOf(set);
    const alive = own.filter((pod) => !isGoing(pod) && !isFinished(pod));
    const ofRevision = (revision: string): Pod[] => alive.filter((pod) => pod.metadata!.labels?.[revisionLabel] === revision);
    const updated = ofRevision(update);
    const done =
      updated.length === count &&
      updated.every(isReady) &&
      alive.length === count &&
      updateStrategy?.type !== 'OnDelete' &&
      !updateStrategy?.rollingUpdate?.partition;
    const currentRevision = done ? update : current;
    const waits = alive.map((pod) => isAvailable(pod, minReadySeconds));
    const status = {
      observedGeneration: set.metadata!.generation!,
      replicas: own.length,
      readyReplicas: alive.filter(isReady).length,
      availableReplicas: waits.filter((wait) => wait === true).length,
      currentReplicas: ofRevision(currentRevision).length,
      updatedReplicas: updated.length,
      currentRevision,
      updateRevision: update,
      collisionCount: 0,
    } as StatefulSetStatus;
    if (!sameStatus(set.status, status))
      await client.patch(
        statefulSets,
        set.metadata!.name!,
        { metadata: { uid: set.metadata!.uid }, status },
        { namespace: set.metadata!.namespace!, subresource: 'status' },
      );
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
