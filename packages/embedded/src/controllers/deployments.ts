import { pods } from '@skipper/api';
import { createInformer, hasReason, type Informer, type KubeClient } from '@skipper/kube';
import type { Deployment, ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { portInUse, type Log } from '../contracts.ts';
import { createEventRecorder } from '../event-recorder.ts';
import { deployments, replicaSets } from '../kinds.ts';
import { deploymentStatusOf } from './deployment-status.ts';
import { controlledBy, controllerOf, ownedBy, referenceTo } from './owned.ts';
import { isFinished, templateHash } from './pods.ts';
import { nextStep } from './rollout.ts';
import { sameStatus } from './same-status.ts';
import { createWorkQueue, type WorkQueue } from '../work-queue.ts';

const revisionAnnotation = 'deployment.kubernetes.io/revision';
const hashLabel = 'pod-template-hash';
const defaultHistory = 10;

/** Rolls Deployments from one template to the next by scaling their ReplicaSets. */
export function startDeploymentController(client: KubeClient, podInformer: Informer<Pod>, log: Log): WorkQueue {
  const all = createInformer(client, deployments, { log });
  const sets = createInformer(client, replicaSets, { log });
  const recorder = createEventRecorder(client, 'deployment-controller', log);
  const queue = createWorkQueue(reconcile, (key, error) => {
    if (!hasReason(error, 'Conflict', 'NotFound')) log(`deployment ${key}: ${error.message}`);
  });
  const addOwnerOf = (set: ReplicaSet | undefined): void => {
    const owner = set && controllerOf(set);
    if (owner?.kind === 'Deployment') queue.add(`${set!.metadata!.namespace}/${owner.name}`);
  };
  all.subscribe(({ object }) => queue.add(`${object.metadata!.namespace}/${object.metadata!.name}`));
  sets.subscribe(({ object }) => addOwnerOf(object));
  podInformer.subscribe(({ type, object }) => {
    // Recreate waits until the last pod of an old template is gone, which no ReplicaSet's status tells.
    if (type === 'DELETED' || isKeptOut(object)) addOwnerOf(sets.get(controllerOf(object)?.name ?? '', object.metadata!.namespace));
  });

  async function reconcile(key: string): Promise<void> {
    await Promise.all([all.synced(), sets.synced()]);
    const [namespace, name] = key.split('/') as [string, string];
    const deployment = all.get(name, namespace) && (await client.find(deployments, name, { namespace }));
    if (!deployment || deployment.metadata!.deletionTimestamp) return;
    const { items } = await client.list(replicaSets, { namespace });
    const own = await ownedBy(client, replicaSets, items, { owner: deployment, type: deployments, selector: deployment.spec!.selector });
    const hash = templateHash(deployment.spec!.template);
    let current = own.find((set) => set.metadata!.labels?.[hashLabel] === hash);
    const old = own
      .filter((set) => set !== current)
      .sort((a, b) => String(a.metadata!.creationTimestamp).localeCompare(String(b.metadata!.creationTimestamp)));
    if (deployment.spec!.paused) await scalePaused(deployment, current, own);
    else {
      current = current ? await markNewest(deployment, current, own) : await createSet(deployment, hash, own);
      await roll(deployment, current, old);
      await forget(deployment, old);
    }
    const { status, deadlineInMs } = deploymentStatusOf(
      deployment,
      current,
      own.includes(current!) || !current ? own : [current, ...own],
      new Date(),
    );
    if (!sameStatus(deployment.status, status))
      await client.patch(deployments, name, { metadata: { uid: deployment.metadata!.uid }, status }, { namespace, subresource: 'status' });
    if (deadlineInMs !== undefined) queue.addAfter(key, deadlineInMs);
  }

  async function createSet(deployment: Deployment, hash: string, own: readonly ReplicaSet[]): Promise<ReplicaSet> {
    const { name, namespace } = deployment.metadata!;
    const { template, selector } = deployment.spec!;
    const labels = { ...template.metadata?.labels, [hashLabel]: hash };
    const revision = String(newestRevision(own) + 1);
    const set = await client.create(replicaSets, {
      metadata: {
        name: `${name}-${hash}`,
        namespace: namespace!,
        labels,
        annotations: { [revisionAnnotation]: revision },
        ownerReferences: [controlledBy(deployment, deployments)],
      },
      spec: {
        replicas: 0,
        minReadySeconds: deployment.spec!.minReadySeconds,
        selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
        template: { ...template, metadata: { ...template.metadata, labels } },
      },
    });
    await annotate(deployment, revision);
    return set;
  }

  /** A template that comes back is the newest revision again. */
  async function markNewest(deployment: Deployment, current: ReplicaSet, own: readonly ReplicaSet[]): Promise<ReplicaSet> {
    const newest = newestRevision(own.filter((set) => set !== current));
    let set = current;
    if (revisionOf(set) < newest)
      set = await client.patch(
        replicaSets,
        set.metadata!.name!,
        { metadata: { annotations: { [revisionAnnotation]: String(newest + 1) } } },
        { namespace: set.metadata!.namespace! },
      );
    if (set.spec!.minReadySeconds !== deployment.spec!.minReadySeconds) {
      set = await client.patch(
        replicaSets,
        set.metadata!.name!,
        { spec: { minReadySeconds: deployment.spec!.minReadySeconds ?? null } },
        { namespace: set.metadata!.namespace! },
      );
    }
    await annotate(deployment, String(revisionOf(set)));
    return set;
  }

  async function annotate({ metadata }: Deployment, revision: string): Promise<void> {
    if (metadata!.annotations?.[revisionAnnotation] === revision) return;
    await client.patch(
      deployments,
      metadata!.name!,
      { metadata: { uid: metadata!.uid, annotations: { [revisionAnnotation]: revision } } },
      { namespace: metadata!.namespace! },
    );
  }

  async function roll(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): Promise<void> {
    if (deployment.spec!.strategy?.type !== 'Recreate' && !isStuck(current, old)) {
      for (const { set, replicas } of nextStep(deployment, current, old)) await scale(deployment, set, replicas);
      return;
    }
    for (const set of old) await scale(deployment, set, 0);
    if (!(await hasPods(old))) await scale(deployment, current, deployment.spec!.replicas ?? 1);
  }

  /**
   * Whether the new pods cannot begin beside the old ones, which have their port on all addresses of the machine. Where the old ones do
   * not, they have nothing on that port either.
   */
  function isStuck(current: ReplicaSet, old: readonly ReplicaSet[]): boolean {
    if (old.every((set) => (set.spec!.replicas ?? 0) === 0)) return false;
    return podInformer.list(current.metadata!.namespace).some((pod) => controllerOf(pod)?.uid === current.metadata!.uid && isKeptOut(pod));
  }

  /** Those that are still stopping too: they may have a volume open. */
  async function hasPods(old: readonly ReplicaSet[]): Promise<boolean> {
    const [first] = old;
    if (!first) return false;
    const uids = new Set(old.map(({ metadata }) => metadata!.uid));
    const { items } = await client.list(pods, { namespace: first.metadata!.namespace! });
    return items.some((pod) => uids.has(controllerOf(pod)?.uid) && !isFinished(pod));
  }

  /** Nothing rolls, but the one template that runs may have more or fewer pods. */
  async function scalePaused(deployment: Deployment, current: ReplicaSet | undefined, own: readonly ReplicaSet[]): Promise<void> {
    const running = own.filter((set) => (set.spec!.replicas ?? 0) > 0);
    const only = running.length === 1 ? running[0] : running.length === 0 ? current : undefined;
    if (only) await scale(deployment, only, deployment.spec!.replicas ?? 1);
  }

  async function scale(deployment: Deployment, set: ReplicaSet, replicas: number): Promise<void> {
    const { name, namespace, uid } = set.metadata!;
    const before = set.spec!.replicas ?? 0;
    if (before === replicas) return;
    await client.patch(replicaSets, name!, { metadata: { uid }, spec: { replicas } }, { namespace: namespace! });
    recorder.record(
      referenceTo(deployment, deployments),
      'Normal',
      'ScalingReplicaSet',
      `Scaled ${replicas > before ? 'up' : 'down'} replica set ${name} from ${before} to ${replicas}`,
    );
  }

  async function forget(deployment: Deployment, old: readonly ReplicaSet[]): Promise<void> {
    const empty = old.filter(
      (set) => (set.spec!.replicas ?? 0) === 0 && (set.status?.replicas ?? 0) === 0 && !set.metadata!.deletionTimestamp,
    );
    empty.sort((a, b) => revisionOf(b) - revisionOf(a));
    for (const { metadata } of empty.slice(deployment.spec!.revisionHistoryLimit ?? defaultHistory)) {
      await client.delete(replicaSets, metadata!.name!, {
        namespace: metadata!.namespace!,
        uid: metadata!.uid!,
        propagation: 'Background',
      });
    }
  }

  return {
    ...queue,
    async close() {
      all.close();
      sets.close();
      await queue.close();
    },
  };
}

function isKeptOut({ status }: Pod): boolean {
  return status?.containerStatuses?.some(({ state }) => state?.waiting?.reason === portInUse) ?? false;
}

function revisionOf({ metadata }: ReplicaSet): number {
  return Number(metadata!.annotations?.[revisionAnnotation] ?? 0);
}

function newestRevision(sets: readonly ReplicaSet[]): number {
  return Math.max(0, ...sets.map(revisionOf));
}
