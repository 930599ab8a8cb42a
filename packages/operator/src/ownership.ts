import type { OwnerReference } from 'kubernetes-types/meta/v1.d.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '@skipper/api';

/** An object at a name that is needed, and not ours. */
export interface Obstacle {
  /** As `kind "name"`. */
  what: string;
  /** It goes by itself: it is being deleted, or is what one of our name and kind that is gone has left to be collected. */
  isGoing: boolean;
}

export function obstacle(what: string, object: KubeObject, owner: KubeObject, ownerKind: string): Obstacle {
  const left = object.metadata?.ownerReferences?.some(
    ({ controller, kind, name, uid }) => controller && kind === ownerKind && name === nameOf(owner) && uid !== owner.metadata?.uid,
  );
  return { what, isGoing: object.metadata?.deletionTimestamp !== undefined || left === true };
}

/** Why the names that `owner` needs are not free. @param what for example `app` */
export function nameProblem(obstacles: readonly Obstacle[], owner: KubeObject, what: string): { reason: string; message: string } {
  const names = obstacles.map((found) => found.what).join(' and ');
  const several = obstacles.length > 1;
  const place = `in namespace "${namespaceOf(owner)}"`;
  if (obstacles.every(({ isGoing }) => isGoing))
    return { reason: 'NameNotFreeYet', message: `${names} ${place} ${several ? 'are' : 'is'} still being removed.` };
  return {
    reason: 'NameTaken',
    message: `${names} ${place} ${several ? 'were' : 'was'} not made for this ${what} and will not be touched. Delete or rename ${several ? 'them' : 'it'}, or choose another name for the ${what}.`,
  };
}

export function nameOf(object: KubeObject): string {
  return object.metadata?.name ?? '';
}

export function namespaceOf(object: KubeObject): string {
  return object.metadata?.namespace ?? '';
}

/** What makes an object live and die with its owner. */
export function ownerReferenceTo<T extends KubeObject>(type: ResourceType<T>, owner: T): OwnerReference {
  return {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    name: nameOf(owner),
    uid: owner.metadata?.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** Children that live and die with an object are its own when it is their controller. */
export function isOwned(object: KubeObject, owner: KubeObject): boolean {
  return object.metadata?.ownerReferences?.some(({ controller, uid }) => controller && uid === owner.metadata?.uid) ?? false;
}
