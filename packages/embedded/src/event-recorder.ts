import { randomBytes } from 'node:crypto';
import { events } from '@skipper/api';
import { hasReason, type KubeClient } from '@skipper/kube';
import type { Event, ObjectReference } from 'kubernetes-types/core/v1.d.ts';
import type { Log } from './contracts.ts';

/** Tells what happened to an object, as Events: the same again within the hour counts up the first one. */
export interface EventRecorder {
  record(object: ObjectReference, type: 'Normal' | 'Warning', reason: string, message: string): void;
}

interface Known {
  name: string;
  namespace: string;
  count: number;
  writtenAt: number;
}

const forgetAfterMs = 3_600_000;
/** Repetitions are written at most this often. */
const quietMs = 5_000;
/** As long as the API allows. */
const longestMessage = 1_024;

export function createEventRecorder(client: KubeClient, component: string, log: Log): EventRecorder {
  const known = new Map<string, Known>();

  const write = async (object: ObjectReference, type: string, reason: string, message: string): Promise<void> => {
    const key = [object.uid, type, reason, message].join('\0');
    const now = Date.now();
    for (const [other, { writtenAt }] of known) if (now - writtenAt > forgetAfterMs) known.delete(other);
    const timestamp = new Date(now).toISOString();
    const before = known.get(key);
    if (before) {
      before.count += 1;
      if (now - before.writtenAt < quietMs) return;
      before.writtenAt = now;
      try {
        return void (await client.patch(
          events,
          before.name,
          { count: before.count, lastTimestamp: timestamp },
          { namespace: before.namespace },
        ));
      } catch (error) {
        // Somebody has cleared it away.
        if (!hasReason(error, 'NotFound')) throw error;
      }
    }
    const namespace = object.namespace ?? 'default';
    const name = `${object.name}.${randomBytes(8).toString('hex')}`;
    known.set(key, { name, namespace, count: 1, writtenAt: now });
    const event: Event = {
      metadata: { name, namespace },
      involvedObject: object,
      type,
      reason,
      message: message.slice(0, longestMessage),
      count: 1,
      firstTimestamp: timestamp,
      lastTimestamp: timestamp,
      source: { component },
      reportingComponent: component,
      reportingInstance: component,
    };
    await client.create(events, event);
  };
  return {
    record: (object, type, reason, message) => {
      // An event is a courtesy: the state it tells of stands in the object's status.
      write(object, type, reason, message).catch((error: Error) => {
        // Its namespace is going, or the cluster is.
        if (!hasReason(error, 'NotFound', 'Forbidden')) log(`event ${reason} of ${object.kind} ${object.name}: ${error.message}`);
      });
    },
  };
}
