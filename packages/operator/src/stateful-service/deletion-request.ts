import { annotations, statefulServices, type StatefulService } from '@skipper/api';
import { hasReason } from '@skipper/kube';
import { fieldManager } from '../apply.ts';
import type { ReconcilerContext } from '../controller.ts';
import { nameOf, namespaceOf } from '../ownership.ts';

/** The deletion itself follows the request that its data go with it within this time, or not at all. */
const countsMs = 60_000;

/** A request that nobody took back counts no longer than this: longer than the clocks of who asks and of the server differ. */
const lapsesMs = 3_600_000;

/** Whether a service that goes is to take its data along. What asks for it while it goes counts as well. */
export function wantsDataDeleted({ metadata }: StatefulService): boolean {
  const askedAt = Date.parse(`${metadata?.annotations?.[annotations.deleteData]}`);
  return Date.parse(`${metadata?.deletionTimestamp}`) - askedAt < lapsesMs;
}

/**
 * Takes back what asked for the data of a service that goes on: whoever deletes it some day, and means to keep the data, must not meet
 * what an interrupted command left.
 * @returns ms after which to look again
 */
export async function forgetDeletionRequest(context: ReconcilerContext, service: StatefulService): Promise<number | undefined> {
  const askedAt = service.metadata?.annotations?.[annotations.deleteData];
  if (askedAt === undefined) return undefined;
  const age = context.now().getTime() - Date.parse(askedAt);
  // A time that is none, or one to come, is as old as any.
  if (age >= -countsMs && age < countsMs) return countsMs - age;
  const { resourceVersion } = service.metadata!;
  try {
    await context.client.patch(
      statefulServices,
      nameOf(service),
      { metadata: { resourceVersion, annotations: { [annotations.deleteData]: null } } },
      { namespace: namespaceOf(service), fieldManager },
    );
  } catch (error) {
    // It has changed: its next pass sees how.
    if (!hasReason(error, 'Conflict', 'NotFound')) throw error;
    return undefined;
  }
  const message = 'Its data were asked to be deleted with it, and it was not deleted: the request is taken back.';
  await context.recorder.record(statefulServices, service, 'Warning', 'DeletionNotCompleted', message);
  return undefined;
}
