import { isDeepStrictEqual } from 'node:util';
import { findCondition, isPassing, type Reporting, type ResourceType } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import { fieldManager } from './apply.ts';
import type { EventRecorder } from './event-recorder.ts';
import { nameOf, namespaceOf } from './ownership.ts';

/** The condition that sums up the others, in every kind of ours. */
const summary = 'Ready';

/** Writes the status where it differs, and an event when `Ready` changes. An object that is gone meanwhile is no failure. */
export async function report<T extends Reporting>(
  { client, recorder }: { client: KubeClient; recorder: EventRecorder },
  type: ResourceType<T>,
  object: T,
  status: NonNullable<T['status']>,
): Promise<void> {
  try {
    if (!(await writeStatus(client, type, object, status))) return;
  } catch (error) {
    if (hasReason(error, 'NotFound')) return;
    throw error;
  }
  const before = findCondition(object.status?.conditions, summary);
  const after = findCondition(status.conditions, summary);
  if (!after || (before?.status === after.status && before.reason === after.reason)) return;
  // What passes by itself is no warning.
  const harmless = after.status === 'True' || isPassing(after.reason);
  await recorder.record(type, object, harmless ? 'Normal' : 'Warning', after.reason, after.message);
}

/** @returns whether it was written. */
async function writeStatus<T extends Reporting>(
  client: KubeClient,
  type: ResourceType<T>,
  object: T,
  status: NonNullable<T['status']>,
): Promise<boolean> {
  if (isDeepStrictEqual(normal(object.status), normal(status))) return false;
  // A merge patch keeps what it does not name: what is gone is named as null.
  const gone = Object.fromEntries(
    Object.keys(object.status ?? {})
      .filter((key) => !(key in status))
      .map((key) => [key, null]),
  );
  await client.patch(
    type,
    nameOf(object),
    { metadata: { uid: object.metadata?.uid }, status: { ...gone, ...status } },
    { namespace: namespaceOf(object), subresource: 'status', fieldManager },
  );
  return true;
}

/** Without key order and undefined. */
function normal(status: object | undefined): unknown {
  return JSON.parse(JSON.stringify(status ?? {}));
}
