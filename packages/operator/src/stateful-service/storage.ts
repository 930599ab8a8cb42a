import type { PersistentVolumeClaim, Pod } from 'kubernetes-types/core/v1.d.ts';
import { childNames, compareQuantities, labels, type StatefulService } from '@skipper/api';
import type { Engine } from '@skipper/engines';
import { nameOf, namespaceOf } from '../ownership.ts';
import { childLabels } from './ownership.ts';

/** The claim for a new volume. It has no owner, because the data outlives the service unless its deletion is asked for. */
export function dataClaim(service: StatefulService, engine: Engine): PersistentVolumeClaim {
  return {
    metadata: {
      name: childNames.claim(nameOf(service)),
      namespace: namespaceOf(service),
      labels: childLabels(service),
    },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: service.spec.storage ?? engine.defaultStorage } },
      ...(service.spec.storageClassName === undefined ? {} : { storageClassName: service.spec.storageClassName }),
    },
  };
}

/** The version whose data the volume holds: that of the pod, once its engine has begun to run, else what was noted of an earlier one. */
export function versionOnVolume(claim: PersistentVolumeClaim | undefined, pod: Pod | undefined): string | undefined {
  const [status] = pod?.status?.containerStatuses ?? [];
  // A container that is given up before it began counts as terminated as well, and has no start.
  const hasRun = [status?.state?.running, status?.state?.terminated, status?.lastState?.terminated].some((state) => state?.startedAt);
  return (hasRun ? pod?.metadata?.labels?.[labels.version] : undefined) ?? claim?.metadata?.labels?.[labels.version];
}

export type StorageDecision =
  | { kind: 'enough' }
  | { kind: 'larger'; size: string }
  | { kind: 'grow'; size: string }
  | { kind: 'growing'; size: string };

/** What the claim's size asks for. A size that nobody named is left as it is. */
export function decideStorage(service: StatefulService, claim: PersistentVolumeClaim): StorageDecision {
  const requested = claim.spec?.resources?.requests?.['storage'] ?? '0';
  const wanted = service.spec.storage;
  if (wanted !== undefined && compareQuantities(wanted, requested) > 0) return { kind: 'grow', size: wanted };
  const capacity = claim.status?.capacity?.['storage'];
  if (capacity !== undefined && compareQuantities(capacity, requested) < 0) return { kind: 'growing', size: requested };
  if (wanted !== undefined && compareQuantities(wanted, requested) < 0) return { kind: 'larger', size: requested };
  return { kind: 'enough' };
}
