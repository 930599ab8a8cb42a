import type { KubeObject, Reporting, ResourceType } from '@skipper/api';
import type { KubeClient } from '@skipper/kube';
import type { Caches } from './caches.ts';
import type { ReconcilerContext } from './controller.ts';
import type { EventRecorder } from './event-recorder.ts';

/** A context whose caches know these objects, and no others. */
export function contextOf(known: { [Name in keyof Caches]?: KubeObject[] }, client: KubeClient): ReconcilerContext {
  const caches = new Proxy({} as Caches, {
    get(_, name) {
      const objects = known[name as keyof Caches] ?? [];
      return { get: (wanted: string) => objects.find(({ metadata }) => metadata?.name === wanted), list: () => objects };
    },
  });
  const recorder = { record: async () => undefined } as unknown as EventRecorder;
  return { client, caches, recorder, log: () => undefined, now: () => new Date(), serverMinor: 34, processes: true };
}

/**
 * A client of a server that has these objects, whatever is written.
 * @param answer to a write; throws where the server refuses
 * @returns it, what was written, as `method plural name`, and the last status of all
 */
export function clientOf(
  objects: { [plural: string]: KubeObject[] },
  answer: (request: string) => void = () => undefined,
): { client: KubeClient; written: string[]; status(): NonNullable<Reporting['status']> | undefined } {
  const written: string[] = [];
  let status: Reporting['status'];
  const write =
    (method: string) =>
    async ({ plural }: ResourceType, object: KubeObject | string, change?: Reporting): Promise<KubeObject> => {
      const request = `${method} ${plural} ${typeof object === 'string' ? object : object.metadata?.name}`;
      written.push(request);
      answer(request);
      status = change?.status ?? status;
      return typeof object === 'string' ? {} : object;
    };
  const client = {
    find: async ({ plural }: ResourceType, name: string) => objects[plural]?.find(({ metadata }) => metadata?.name === name),
    ...Object.fromEntries(['create', 'apply', 'patch', 'delete'].map((method) => [method, write(method)])),
  };
  return { client: client as unknown as KubeClient, written, status: () => status };
}
