import type { KubeObject, ResourceType } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import type { ManagedFieldsEntry } from 'kubernetes-types/meta/v1.d.ts';
import { fieldManager } from '../field-manager.ts';

/**
 * Lets an apply answer for what other commands of kip wrote, so that a manifest which leaves such a field out takes it away. What
 * others wrote, an autoscaler say, stays theirs.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/#managing-field-ownership
 */
export async function takeOver<T extends KubeObject>(client: KubeClient, type: ResourceType<T>, object: T): Promise<void> {
  const { name, namespace, managedFields = [], resourceVersion } = object.metadata ?? {};
  const ours = managedFields.find((entry) => isOurs(entry) && entry.operation === 'Update');
  if (!ours) return;
  const applied = managedFields.find((entry) => isOurs(entry) && entry.operation === 'Apply');
  const others = managedFields.filter((entry) => entry !== ours && entry !== applied);
  const merged: ManagedFieldsEntry = {
    ...ours,
    operation: 'Apply',
    fieldsV1: applied ? union(applied.fieldsV1 as Fields, ours.fieldsV1 as Fields) : ours.fieldsV1!,
  };
  const patch = [
    { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion },
    { op: 'replace', path: '/metadata/managedFields', value: [...others, merged] },
  ];
  try {
    await client.patch(type, name!, patch, { namespace: namespace!, fieldManager });
  } catch (error) {
    if (!hasReason(error, 'Conflict', 'Invalid')) throw error;
    // Somebody changed it meanwhile.
    const now = await client.find(type, name!, { namespace: namespace! });
    if (now && now.metadata?.resourceVersion !== resourceVersion) return takeOver(client, type, now);
    throw error;
  }
}

const isOurs = ({ manager, subresource }: ManagedFieldsEntry & { subresource?: string }): boolean =>
  manager === fieldManager && !subresource;

/** A set of fields as Kubernetes writes it: a member is an empty object. */
interface Fields {
  [field: string]: Fields;
}

function union(a: Fields, b: Fields): Fields {
  const result = { ...a };
  for (const [field, inner] of Object.entries(b)) result[field] = result[field] ? union(result[field], inner) : inner;
  return result;
}

/**
 * What an apply of `wanted` after {@link takeOver} leaves of `current`: without what kip wrote, nobody else owns and `wanted` leaves
 * out. For foretelling, because the server's dry run of an apply cannot know of a take-over that has not happened.
 */
export function withoutDropped(current: unknown, wanted: unknown, managedFields: readonly ManagedFieldsEntry[]): unknown {
  const specOf = (entries: readonly ManagedFieldsEntry[]): Fields =>
    entries.reduce<Fields>((all, { fieldsV1 }) => union(all, (fieldsV1 as Fields | undefined)?.['f:spec'] ?? {}), {});
  return pruned(current, wanted, specOf(managedFields.filter(isOurs)), specOf(managedFields.filter((entry) => !isOurs(entry))));
}

function pruned(current: unknown, wanted: unknown, ours: Fields, others: Fields): unknown {
  if (typeof current !== 'object' || current === null || typeof wanted !== 'object' || wanted === null) return current;
  if (Array.isArray(current)) {
    if (!Array.isArray(wanted)) return current;
    return current.flatMap((item: unknown) => {
      const key = [...Object.keys(ours), ...Object.keys(others)].find((field) => isItem(field, item));
      if (key === undefined) return [item];
      const match = wanted.find((other) => isItem(key, other));
      return match === undefined ? (others[key] ? [item] : []) : [pruned(item, match, ours[key] ?? {}, others[key] ?? {})];
    });
  }
  return Object.fromEntries(
    Object.entries(current).flatMap(([key, value]) => {
      const field = `f:${key}`;
      const other = (wanted as Record<string, unknown>)[key];
      if (other === undefined) return ours[field] && !others[field] ? [] : [[key, value]];
      return [[key, pruned(value, other, ours[field] ?? {}, others[field] ?? {})]];
    }),
  );
}

/** Whether `field`, as `k:{"name":"A"}`, means this item of a list. */
function isItem(field: string, item: unknown): boolean {
  if (!field.startsWith('k:') || typeof item !== 'object' || item === null) return false;
  const keys = JSON.parse(field.slice(2)) as Record<string, unknown>;
  return Object.entries(keys).every(([key, value]) => (item as Record<string, unknown>)[key] === value);
}
