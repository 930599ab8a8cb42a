import type { OwnerReference } from 'kubernetes-types/meta/v1.d.ts';
import { childNames, labels, managedBy, statefulServices, type KubeObject, type StatefulService } from '@skipper/api';
import { isOwned, nameOf, obstacle, ownerReferenceTo, type Obstacle } from '../ownership.ts';
import type { Observed } from './observe.ts';

/** Labels of every object that is made for a service. */
export function childLabels(service: StatefulService): Record<string, string> {
  return {
    [labels.name]: service.spec.type,
    [labels.instance]: nameOf(service),
    [labels.managedBy]: managedBy,
    [labels.partOf]: managedBy,
    [labels.service]: nameOf(service),
    [labels.type]: service.spec.type,
  };
}

/** What the StatefulSet, the Service and the NetworkPolicy select the pod by. Cannot change. */
export function selectorLabels(service: StatefulService): Record<string, string> {
  return { [labels.service]: nameOf(service), [labels.managedBy]: managedBy };
}

export function ownerReference(service: StatefulService): OwnerReference {
  return ownerReferenceTo(statefulServices, service);
}

/** Claims and credentials outlive the service, so a label says whose they are. */
export function isKept(object: KubeObject, service: StatefulService): boolean {
  const own = object.metadata?.labels;
  return own?.[labels.managedBy] === managedBy && own[labels.service] === nameOf(service);
}

/** Whether it was kept of a service of this name that had another type. */
export function isOfOtherType(object: KubeObject, service: StatefulService): boolean {
  return isKept(object, service) && object.metadata?.labels?.[labels.type] !== service.spec.type;
}

/** The objects at our names that are not ours. */
export function foreignObjects(service: StatefulService, seen: Observed): Obstacle[] {
  const name = nameOf(service);
  const found: Obstacle[] = [];
  const check = (kind: string, child: string, object: KubeObject | undefined, isOurs: typeof isKept) => {
    if (object && !isOurs(object, service)) found.push(obstacle(`${kind} "${child}"`, object, service, statefulServices.kind));
  };
  check('StatefulSet', childNames.statefulSet(name), seen.statefulSet, isOwned);
  check('Service', childNames.headlessService(name), seen.headlessService, isOwned);
  check('NetworkPolicy', childNames.networkPolicy(name), seen.networkPolicy, isOwned);
  check('PersistentVolumeClaim', childNames.claim(name), seen.claim, isKept);
  check('Secret', childNames.credentials(name), seen.secret, isKept);
  return found;
}
