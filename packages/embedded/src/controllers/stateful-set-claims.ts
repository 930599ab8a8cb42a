import { persistentVolumeClaims, pods, statefulSets, type KubeObject, type ResourceType } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { PersistentVolumeClaim, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { OwnerReference } from 'kubernetes-types/meta/v1.d.ts';
import { controlledBy } from './owned.ts';
import { ordinalOf, ordinalsOf, podNameOf } from './stateful-set-pods.ts';

interface ClaimRetention {
  whenDeleted: 'Retain' | 'Delete';
  whenScaled: 'Retain' | 'Delete';
}

function retentionOf({ spec }: StatefulSet): ClaimRetention {
  const { persistentVolumeClaimRetentionPolicy: policy } = spec as { persistentVolumeClaimRetentionPolicy?: Partial<ClaimRetention> };
  return { whenDeleted: policy?.whenDeleted ?? 'Retain', whenScaled: policy?.whenScaled ?? 'Retain' };
}

/** The claims of one pod, as they are made for it. */
export function claimsOf(set: StatefulSet, ordinal: number): PersistentVolumeClaim[] {
  const { namespace } = set.metadata!;
  const owned = retentionOf(set).whenDeleted === 'Delete' ? { ownerReferences: [ownerOfClaims(set, statefulSets)] } : {};
  return (set.spec!.volumeClaimTemplates ?? []).map(({ metadata, spec }) => ({
    metadata: {
      name: `${metadata!.name}-${podNameOf(set, ordinal)}`,
      namespace: namespace!,
      annotations: metadata!.annotations,
      labels: { ...metadata!.labels, ...set.spec!.selector.matchLabels },
      ...owned,
    },
    spec: spec!,
  }));
}

/** Claims go with it, without being controlled by it. */
function ownerOfClaims(owner: KubeObject, type: ResourceType): OwnerReference {
  const { apiVersion, kind, name, uid } = controlledBy(owner, type);
  return { apiVersion, kind, name, uid };
}

/** Whether a claim is about to go, or will be with a former pod of this name. */
export function isClaimGoing({ metadata }: PersistentVolumeClaim, podName: string): boolean {
  const ofFormerPod = metadata!.ownerReferences?.some(({ kind, name }) => kind === 'Pod' && name === podName);
  return metadata!.deletionTimestamp !== undefined || ofFormerPod === true;
}

/**
 * Claims are kept unless the set says otherwise: then they belong to it and go with it, or to a pod that is to be scaled away, and go with
 * that. Only claims of the pods that there are: what earlier ones left was kept on purpose.
 */
export async function ownClaims(client: KubeClient, set: StatefulSet, own: readonly Pod[]): Promise<void> {
  if (!set.spec!.volumeClaimTemplates?.length || own.length === 0) return;
  const { whenDeleted, whenScaled } = retentionOf(set);
  const { first, count } = ordinalsOf(set);
  const namespace = set.metadata!.namespace!;
  const { items } = await client.list(persistentVolumeClaims, { namespace });
  const claims = new Map(items.map((claim) => [claim.metadata!.name!, claim]));
  for (const pod of own) {
    const ordinal = ordinalOf(pod);
    const goesWithPod = whenScaled === 'Delete' && (ordinal < first || ordinal >= first + count);
    const wanted = [
      ...(goesWithPod ? [ownerOfClaims(pod, pods)] : []),
      ...(whenDeleted === 'Delete' && !goesWithPod ? [ownerOfClaims(set, statefulSets)] : []),
    ];
    for (const { metadata } of claimsOf(set, ordinal)) {
      const claim = claims.get(metadata!.name!);
      if (!claim || claim.metadata!.deletionTimestamp) continue;
      const { name, uid, resourceVersion, ownerReferences = [] } = claim.metadata!;
      const isOurs = (owner: OwnerReference): boolean => owner.uid === set.metadata!.uid || owner.uid === pod.metadata!.uid;
      const has = ownerReferences.filter(isOurs).map((owner) => owner.uid);
      if (has.join() === wanted.map((owner) => owner.uid).join()) continue;
      const others = ownerReferences.filter((owner) => !isOurs(owner));
      await client.patch(
        persistentVolumeClaims,
        name!,
        { metadata: { uid, resourceVersion, ownerReferences: [...others, ...wanted] } },
        { namespace },
      );
    }
  }
}
