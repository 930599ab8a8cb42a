import type { OwnerReference } from 'kubernetes-types/meta/v1.d.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '@skipper/api';

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
