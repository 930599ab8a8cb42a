import { createInformer, hasReason, type KubeClient } from '@skipper/kube';
import type { Deployment, DeploymentCondition, ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Log } from '../contracts.ts';
import { deployments, replicaSets } from '../kinds.ts';
import { controlledBy, controllerOf } from './owned.ts';
import { templateHash } from './pods.ts';
import { sameStatus } from './same-status.ts';
import { createWorkQueue, type WorkQueue } from './work-queue.ts';

const revisionAnnotation = 'deployment.kubernetes.io/revision';
const hashLabel = 'pod-template-hash';

/** Rolls Deployments from one template to the next by scaling their ReplicaSets. */
export function startDeploymentController(client: KubeClient, log: Log): WorkQueue {
  const all = createInformer(client, deployments, { log });
  const sets = createInformer(client, replicaSets, { log });
  const queue = createWorkQueue(reconcile, (key, error) => {
    if (!hasReason(error, 'Conflict', 'NotFound')) log(`deployment ${key}: ${error.message}`);
  });
  all.subscribe(({ object }) => queue.add(`${object.metadata!.namespace}/${object.metadata!.name}`));
  sets.subscribe(({ object }) => {
    const owner = controllerOf(object);
    if (owner?.kind === 'Deployment') queue.add(`${object.metadata!.namespace}/${owner.name}`);
  });

  async function reconcile(key: string): Promise<void> {
    await Promise.all([all.synced(), sets.synced()]);
    const [namespace, name] = key.split('/') as [string, string];
    const deployment = all.get(name, namespace) && (await client.find(deployments, name, { namespace }));
    if (!deployment || deployment.metadata!.deletionTimestamp) return;
    const own = (await client.list(replicaSets, { namespace })).items.filter((set) => controllerOf(set)?.uid === deployment.metadata!.uid);
    const hash = templateHash(deployment.spec!.template);
    let current = own.find((set) => set.metadata!.labels?.[hashLabel] === hash);
    const old = own.filter((set) => set !== current);
    if (!deployment.spec!.paused) {
      current ??= await createSet(deployment, hash, own);
      await roll(deployment, current, old);
      await forget(deployment, old);
    }
    await writeStatus(deployment, current, own);
  }

  async function createSet(deployment: Deployment, hash: string, own: readonly ReplicaSet[]): Promise<ReplicaSet> {
    const { name, namespace } = deployment.metadata!;
    const { template, selector } = deployment.spec!;
    const labels = { ...template.metadata?.labels, [hashLabel]: hash };
    const revision = String(Math.max(0, ...own.map((set) => Number(set.metadata!.annotations?.[revisionAnnotation] ?? 0))) + 1);
    const set = await client.create(replicaSets, {
      metadata: { name: `${name}-${hash}`, namespace: namespace!, labels, annotations: { [revisionAnnotation]: revision }, ownerReferences: [controlledBy(deployment, 'apps/v1', 'Deployment')] },
      spec: { replicas: 0, minReadySeconds: deployment.spec!.minReadySeconds, selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } }, template: { ...template, metadata: { ...template.metadata, labels } } },
    });
    await client.patch(deployments, name!, { metadata: { annotations: { [revisionAnnotation]: revision } } }, { namespace: namespace! });
    return set;
  }

  /** One step towards the new template, as far as the limits of the strategy allow now. */
  async function roll(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): Promise<void> {
    const wanted = deployment.spec!.replicas ?? 1;
    const { type, rollingUpdate } = deployment.spec!.strategy ?? {};
    const oldReplicas = old.reduce((sum, set) => sum + (set.spec!.replicas ?? 0), 0);
    if (type === 'Recreate') {
      for (const set of old) await scale(set, 0);
      if (old.every((set) => (set.status?.replicas ?? 0) === 0)) await scale(current, wanted);
      return;
    }
    const surge = share(rollingUpdate?.maxSurge ?? '25%', wanted, Math.ceil);
    const unavailable = share(rollingUpdate?.maxUnavailable ?? '25%', wanted, Math.floor) || (surge === 0 ? 1 : 0);
    const size = Math.min(wanted, Math.max(current.spec!.replicas ?? 0, wanted + surge - oldReplicas));
    await scale(current, (current.spec!.replicas ?? 0) > wanted ? wanted : size);
    const available = [current, ...old].reduce((sum, set) => sum + (set.status?.availableReplicas ?? 0), 0);
    let removable = Math.max(0, available - (wanted - unavailable));
    for (const set of old) {
      const has = set.spec!.replicas ?? 0;
      // What is not available is missed by nobody.
      const idle = Math.max(0, has - (set.status?.availableReplicas ?? 0));
      const drop = Math.min(has, idle + removable);
      removable -= Math.max(0, drop - idle);
      if (drop > 0) await scale(set, has - drop);
    }
  }

  async function scale(set: ReplicaSet, replicas: number): Promise<void> {
    if ((set.spec!.replicas ?? 0) === replicas) return;
    await client.patch(replicaSets, set.metadata!.name!, { spec: { replicas } }, { namespace: set.metadata!.namespace! });
  }

  async function forget(deployment: Deployment, old: readonly ReplicaSet[]): Promise<void> {
    const limit = deployment.spec!.revisionHistoryLimit ?? 10;
    const empty = old.filter((set) => (set.spec!.replicas ?? 0) === 0 && (set.status?.replicas ?? 0) === 0);
    empty.sort((a, b) => Number(b.metadata!.annotations?.[revisionAnnotation]) - Number(a.metadata!.annotations?.[revisionAnnotation]));
    for (const set of empty.slice(limit)) await client.delete(replicaSets, set.metadata!.name!, { namespace: set.metadata!.namespace! });
  }

  async function writeStatus(deployment: Deployment, current: ReplicaSet | undefined, own: readonly ReplicaSet[]): Promise<void> {
    const sum = (field: 'replicas' | 'readyReplicas' | 'availableReplicas'): number => own.reduce((total, set) => total + (set.status?.[field] ?? 0), 0);
    const wanted = deployment.spec!.replicas ?? 1;
    const available = sum('availableReplicas');
    const updated = current?.status?.replicas ?? 0;
    const complete = updated === wanted && sum('replicas') === wanted && available === wanted;
    const now = new Date().toISOString();
    const condition = (type: string, holds: boolean, reason: string, message: string): DeploymentCondition => {
      const status = holds ? 'True' : 'False';
      const before = deployment.status?.conditions?.find((other) => other.type === type);
      const same = before?.status === status && before.reason === reason;
      return { type, status, reason, message, lastTransitionTime: before?.status === status ? before.lastTransitionTime : now, lastUpdateTime: same ? before.lastUpdateTime : now } as DeploymentCondition;
    };
    const enough = available >= wanted - share(deployment.spec!.strategy?.rollingUpdate?.maxUnavailable ?? '25%', wanted, Math.floor);
    const status = {
      observedGeneration: deployment.metadata!.generation,
      replicas: sum('replicas'),
      updatedReplicas: updated,
      readyReplicas: sum('readyReplicas'),
      availableReplicas: available,
      unavailableReplicas: Math.max(0, sum('replicas') - available),
      conditions: [
        condition('Available', enough, enough ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable', enough ? 'Deployment has minimum availability.' : 'Deployment does not have minimum availability.'),
        condition('Progressing', true, complete ? 'NewReplicaSetAvailable' : 'ReplicaSetUpdated', complete ? `ReplicaSet "${current?.metadata?.name}" has successfully progressed.` : `ReplicaSet "${current?.metadata?.name}" is progressing.`),
      ],
    };
    if (sameStatus(deployment.status, status)) return;
    await client.patch(deployments, deployment.metadata!.name!, { metadata: { uid: deployment.metadata!.uid }, status }, { namespace: deployment.metadata!.namespace!, subresource: 'status' });
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

/** A number, or a share of `whole`. */
function share(amount: number | string, whole: number, round: (value: number) => number): number {
  return typeof amount === 'string' && amount.endsWith('%') ? round((Number(amount.slice(0, -1)) / 100) * whole) : Number(amount);
}
