import { isDeepStrictEqual } from 'node:util';
import type { KindDefinition } from '../../contracts.ts';
import type { Frozen } from '../store/object-store.ts';
import { seconds } from './stored-object.ts';

/** The namespace with conditions that tell what it waits for before it can go; the same when they say so already. */
export function withConditions(namespace: Frozen, left: readonly { kind: KindDefinition; object: Frozen }[]): Frozen {
  const counted = (names: readonly string[], describe: (name: string, count: number) => string): string => {
    const counts = new Map<string, number>();
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
    return [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => describe(name, count))
      .join(', ');
  };
  const plural = (count: number): string => `${count} resource instance${count === 1 ? '' : 's'}`;
  const resources = left.map(({ kind: { type } }) => (type.group ? `${type.plural}.${type.group}` : `${type.plural}.`));
  const finalizers = left.flatMap(({ object }) => object.metadata.finalizers ?? []);
  const contents = `Some resources are remaining: ${counted(resources, (name, count) => `${name} has ${plural(count)}`)}`;
  const waits =
    finalizers.length === 0
      ? 'All content-preserving finalizers finished'
      : `Some content in the namespace has finalizers remaining: ${counted(finalizers, (name, count) => `${name} in ${plural(count)}`)}`;
  const before: { type: string; status: string; lastTransitionTime: string }[] = namespace['status']?.conditions ?? [];
  const condition = (type: string, status: 'True' | 'False', reason: string, message: string): object => {
    const same = before.find((other) => other.type === type && other.status === status);
    return { type, status, lastTransitionTime: same?.lastTransitionTime ?? seconds(new Date()), reason, message };
  };
  const conditions = [
    condition('NamespaceDeletionDiscoveryFailure', 'False', 'ResourcesDiscovered', 'All resources successfully discovered'),
    condition(
      'NamespaceDeletionContentFailure',
      'False',
      'ContentDeleted',
      'All content successfully deleted, may be waiting on finalization',
    ),
    condition('NamespaceContentRemaining', 'True', 'SomeResourcesRemain', contents),
    condition(
      'NamespaceFinalizersRemaining',
      finalizers.length > 0 ? 'True' : 'False',
      finalizers.length > 0 ? 'SomeFinalizersRemain' : 'ContentHasNoFinalizers',
      waits,
    ),
  ];
  if (isDeepStrictEqual(conditions, before)) return namespace;
  return { ...namespace, status: { ...namespace['status'], conditions } };
}
