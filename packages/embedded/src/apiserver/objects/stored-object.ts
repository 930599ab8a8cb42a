import { isDeepStrictEqual } from 'node:util';
import { apiVersionOf } from '@skipper/api';
import type { KindDefinition } from '../../contracts.ts';
import type { Frozen, ObjectKey } from '../store/object-store.ts';

/** Where an object is stored. */
export function keyOf(kind: KindDefinition, namespace: string | undefined, name: string): ObjectKey {
  return { storage: kind.storage, namespace: kind.type.namespaced ? namespace : undefined, name };
}

/** The object as `kind` shows it: versions of one resource differ by name alone. */
export function present(kind: KindDefinition, object: Frozen): Frozen {
  const apiVersion = apiVersionOf(kind.type);
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}

/** Nothing keeps a deleted object any longer. */
export function isGone({ kind, metadata, spec }: Frozen): boolean {
  return (
    metadata.deletionTimestamp !== undefined &&
    (metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
    (metadata.finalizers ?? []).length === 0 &&
    !(kind === 'Namespace' && spec?.finalizers?.length)
  );
}

/** As Kubernetes writes times: with seconds and no less. */
export function seconds(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

const withoutGeneration = new Set([
  'core/secrets',
  'core/configmaps',
  'core/events',
  'core/endpoints',
  'core/namespaces',
  'core/serviceaccounts',
  'core/services',
  'core/nodes',
  'core/persistentvolumes',
  'core/persistentvolumeclaims',
  'coordination.k8s.io/leases',
  'storage.k8s.io/storageclasses',
  'apps/controllerrevisions',
]);

/** Whether objects of the kind count the versions of what is wanted of them. */
export function hasGeneration(kind: KindDefinition): boolean {
  return !withoutGeneration.has(kind.storage) && !kind.storage.startsWith('rbac.');
}

/** What is wanted, without what is and what the server keeps. */
export function desired({ metadata, status, ...rest }: Frozen): unknown {
  return rest;
}

/** Whether nothing differs but when its fields were managed. */
export function sameBesidesTimes(a: Frozen, b: Frozen): boolean {
  const plain = ({ metadata: { managedFields, ...metadata }, ...rest }: Frozen): unknown => ({
    ...rest,
    metadata,
    managed: managedFields?.map(({ time, ...entry }) => entry) ?? [],
  });
  return isDeepStrictEqual(plain(a), plain(b));
}
