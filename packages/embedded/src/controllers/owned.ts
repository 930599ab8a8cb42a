import { apiVersionOf, type KubeObject, type ResourceType } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import type { ObjectReference } from 'kubernetes-types/core/v1.d.ts';
import type { LabelSelector, OwnerReference } from 'kubernetes-types/meta/v1.d.ts';

/** What controls an object, if anything does. */
export function controllerOf({ metadata }: KubeObject): OwnerReference | undefined {
  return metadata?.ownerReferences?.find(({ controller }) => controller);
}

export function controlledBy(owner: KubeObject, type: ResourceType): OwnerReference {
  return {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    name: owner.metadata!.name!,
    uid: owner.metadata!.uid!,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** For events about `object`. */
export function referenceTo({ metadata }: KubeObject, type: ResourceType): ObjectReference {
  return { apiVersion: apiVersionOf(type), kind: type.kind, name: metadata!.name!, namespace: metadata!.namespace, uid: metadata!.uid! };
}

export interface Claimant {
  owner: KubeObject;
  type: ResourceType;
  selector: LabelSelector | undefined;
}

/**
 * The objects of `items` that `claimant` controls. Those that fit its selector and that nobody controls (their owner was deleted without
 * them) become its own.
 */
export async function ownedBy<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  items: readonly T[],
  { owner, type: ownerType, selector }: Claimant,
  isPossible: (item: T) => boolean = () => true,
): Promise<T[]> {
  const own: T[] = [];
  for (const item of items) {
    const { name, namespace, uid, labels, deletionTimestamp, ownerReferences = [] } = item.metadata!;
    const controller = controllerOf(item);
    if (controller) {
      if (controller.uid === owner.metadata!.uid) own.push(item);
      continue;
    }
    if (deletionTimestamp || !fits(selector, labels) || !isPossible(item)) continue;
    try {
      own.push(
        await client.patch(
          type,
          name!,
          { metadata: { uid, ownerReferences: [...ownerReferences, controlledBy(owner, ownerType)] } },
          { namespace: namespace! },
        ),
      );
    } catch (error) {
      // Gone, or somebody else's by now.
      if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
    }
  }
  return own;
}

/** Whether labels fit a selector; an empty selector fits none. */
export function fits(selector: LabelSelector | undefined, labels: Record<string, string> = {}): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  if (Object.keys(matchLabels).length + matchExpressions.length === 0) return false;
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const has = Object.hasOwn(labels, key);
      switch (operator) {
        case 'Exists':
          return has;
        case 'DoesNotExist':
          return !has;
        case 'In':
          return has && values.includes(labels[key]!);
        // NotIn holds where the label is missing.
        default:
          return !has || !values.includes(labels[key]!);
      }
    })
  );
}
