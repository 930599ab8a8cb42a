import type { KubeObject } from '@skipper/api';
import { isNamespaceTerminating, type Informer, type KubeClient } from '@skipper/kube';
import { synced, type Caches } from './caches.ts';
import type { EventRecorder } from './event-recorder.ts';
import { WorkQueue, type Outcome } from './work-queue.ts';

/** What every reconciler is given. */
export interface ReconcilerContext {
  client: KubeClient;
  caches: Caches;
  recorder: EventRecorder;
  log(message: string): void;
  now(): Date;
  /** Of the server's version, 1.`serverMinor`. */
  serverMinor: number;
  /** Whether the cluster runs the commands of apps without an image. */
  processes: boolean;
}

/** After a look that came too early, or a write that came too late: until the caches have caught up. */
export const catchUpMs = 200;
/** Objects of somebody else's send no event when they go: they are looked for again this often. */
export const lookForFreedNamesMs = 5_000;
/** Quotas, policies and rights send no event when they change: what was rejected is tried again this often. */
export const retryRejectedMs = 30_000;

/** Whose turn it is when an object of a cache changes. */
export interface Source {
  informer: Informer<KubeObject>;
  /** Keys, as {@link keyOf} makes them. */
  keys(object: KubeObject): Iterable<string>;
}

export function source<T extends KubeObject>(informer: Informer<T>, keys: (object: T) => Iterable<string>): Source {
  return { informer, keys } as Source;
}

export function keyOf(namespace: string | undefined, ...names: (string | undefined)[]): string {
  return [namespace, ...names].join('/');
}

/** Reconciles whatever changed, once everything is known, until closed. */
export function startController(options: {
  /** What a key stands for, in the log. */
  what: string;
  context: ReconcilerContext;
  sources: readonly Source[];
  /** Keys worked on at once. */
  concurrency: number;
  reconcile(...parts: string[]): Promise<Outcome>;
}): { add(key: string): void; close(): Promise<void> } {
  const { what, context, sources, concurrency, reconcile } = options;
  const queue = new WorkQueue({
    concurrency,
    process: (key) =>
      reconcile(...key.split('/')).catch((error: unknown) => {
        // What was to be made would go at once; what there is goes by itself, and each end is an event.
        if (isNamespaceTerminating(error)) return {};
        throw error;
      }),
    onError: (key, error, retryInMs) => context.log(`${what} ${key}: ${(error as Error).message}; trying again in ${retryInMs} ms`),
  });
  let closed = false;
  const unsubscribe: (() => void)[] = [];
  void synced(context.caches).then(
    () => {
      if (closed) return;
      for (const { informer, keys } of sources)
        unsubscribe.push(
          informer.subscribe(({ object }) => {
            for (const key of keys(object)) queue.add(key);
          }),
        );
    },
    () => undefined,
  );
  return {
    add: (key) => queue.add(key),
    async close() {
      closed = true;
      for (const end of unsubscribe) end();
      await queue.close();
    },
  };
}
