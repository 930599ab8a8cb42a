import { createHash } from 'node:crypto';
import type { Event, ObjectReference } from 'kubernetes-types/core/v1.d.ts';
import { apiVersionOf, events, type KubeObject, type ResourceType } from '@skipper/api';
import { hasReason, isNamespaceTerminating, type KubeClient } from '@skipper/kube';

/** As long as API servers keep events. */
const rememberedMs = 60 * 60_000;
/** The same event again within this time is counted, and written with the next one after it. */
const quietMs = 60_000;

interface Remembered {
  name: string;
  count: number;
  writtenAt: number;
}

/** Writes events about objects; the same one again raises its count instead of adding another. */
export class EventRecorder {
  readonly #client: KubeClient;
  readonly #component: string;
  readonly #log: (message: string) => void;
  readonly #remembered = new Map<string, Remembered>();

  constructor(client: KubeClient, component: string, log: (message: string) => void) {
    this.#client = client;
    this.#component = component;
    this.#log = log;
  }

  /** Never throws: an event that cannot be written is logged. @param message never holds a secret. */
  async record(type: ResourceType, object: KubeObject, kind: 'Normal' | 'Warning', reason: string, message: string): Promise<void> {
    const now = Date.now();
    for (const [key, { writtenAt }] of this.#remembered) if (now - writtenAt > rememberedMs) this.#remembered.delete(key);
    const uid = object.metadata?.uid ?? '';
    const digest = createHash('sha256').update(`${uid}\0${kind}\0${reason}\0${message}`).digest('hex').slice(0, 16);
    const known = this.#remembered.get(digest);
    if (known) {
      known.count += 1;
      if (now - known.writtenAt < quietMs) return;
    }
    const entry = known ?? { name: `${object.metadata?.name}.${digest}`, count: 1, writtenAt: now };
    entry.writtenAt = now;
    this.#remembered.set(digest, entry);
    try {
      await this.#write(entry, type, object, kind, reason, message);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      this.#log(
        `the event ${reason} of ${object.metadata?.namespace}/${object.metadata?.name} could not be written: ${(error as Error).message}`,
      );
    }
  }

  async #write(entry: Remembered, type: ResourceType, object: KubeObject, kind: string, reason: string, message: string): Promise<void> {
    const namespace = object.metadata?.namespace ?? 'default';
    const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    const about: ObjectReference = {
      apiVersion: apiVersionOf(type),
      kind: type.kind,
      name: object.metadata?.name,
      namespace,
      uid: object.metadata?.uid,
      resourceVersion: object.metadata?.resourceVersion,
    };
    const event: Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: entry.name, namespace },
      involvedObject: about,
      type: kind,
      reason,
      message: message.slice(0, 1024),
      source: { component: this.#component },
      reportingComponent: this.#component,
      reportingInstance: '',
      firstTimestamp: time,
      lastTimestamp: time,
      count: entry.count,
    };
    try {
      await this.#client.create(events, event);
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error;
      // Written before, by this process or by one that ran earlier: the count goes on from there.
      const current = await this.#client.find(events, entry.name, { namespace });
      entry.count = Math.max(entry.count, (current?.count ?? 0) + 1);
      await this.#client.patch(events, entry.name, { count: entry.count, lastTimestamp: time }, { namespace });
    }
  }
}
