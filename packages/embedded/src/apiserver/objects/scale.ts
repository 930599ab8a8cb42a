import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { ApiObject, KindDefinition } from '../../contracts.ts';
import type { Frozen } from '../store/object-store.ts';
import { invalid } from './failures.ts';

/** The Scale of an object whose kind has one. */
export function scaleOf(kind: KindDefinition, object: Frozen): ApiObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const paths = kind.scale!;
  const selector = kind.custom ? (paths.selector ? read(object, paths.selector) : undefined) : selectorText(object['spec'].selector);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as ApiObject['metadata'],
    spec: { replicas: read(object, paths.spec) ?? 0 },
    status: { replicas: read(object, paths.status) ?? 0, ...(selector ? { selector } : {}) },
  };
}

/** Puts a Scale's wish into an object, in place. @throws a 422 failure */
export function applyScale(kind: KindDefinition, object: ApiObject, scale: ApiObject): void {
  const replicas: unknown = scale['spec']?.replicas ?? 0;
  if (!Number.isInteger(replicas) || (replicas as number) < 0) {
    throw invalid(kind, object.metadata.name!, [
      {
        reason: 'FieldValueInvalid',
        field: 'spec.replicas',
        message: `Invalid value: ${JSON.stringify(replicas)}: must be greater than or equal to 0`,
      },
    ]);
  }
  const parts = kind.scale!.spec.split('.').filter(Boolean);
  const last = parts.pop()!;
  let at: any = object;
  for (const part of parts) at = at[part] ??= {};
  at[last] = replicas;
  if (scale.metadata?.resourceVersion) object.metadata.resourceVersion = scale.metadata.resourceVersion;
}

function read(object: Frozen, path: string): any {
  return path
    .split('.')
    .filter(Boolean)
    .reduce<any>((at, part) => at?.[part], object);
}

function selectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const terms = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
  });
  return [...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`), ...terms].join(',');
}
