import type { KubeObject, ResourceType } from '@skipper/api';
import { abortWith } from './abort.ts';
import { backoffMs, pause } from './backoff.ts';
import { hasReason, KubeError } from './errors.ts';
import type { Informer, InformerEvent, InformerOptions, KubeClient, WatchEvent } from './types.ts';

/** What tests turn; people need not. */
export interface InformerTuning {
  /** The server ends a watch after this time, in seconds, and a third more at random. */
  watchSeconds?: number;
  /** How much longer than the server should a watch may live on this side, in ms: then the connection is dead and nobody said so. */
  graceMs?: number;
  /** The longest first and the longest delay between tries, in ms. */
  backoff?: { firstMs: number; mostMs: number };
}

/**
 * What cannot be seen by TCP's own probes (a proxy that answers for a dead server) is seen at a watch's end: five minutes
 * bound how old the store may be, and are rare enough to cost nothing.
 */
const defaultWatchSeconds = 225;
const defaultGraceMs = 10_000;
/** A watch that lived this long was a good one: what ends it is no repetition of what ended the one before. */
const goodWatchMs = 5_000;
/** After this many watches in a row that gave nothing, the resource version itself may be what the server chokes on. */
const fruitlessWatches = 5;

/**
 * Starts an informer: one list, then one watch that is taken up again from where it ended, with growing pauses, whatever ends
 * it. The list is repeated only when the server has forgotten the place (410). The store's objects are shared: do not change
 * them. They come without `managedFields`, which often are half of an object. A handler that subscribes late is first told of
 * every object in the store as ADDED.
 */
export function createInformer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  options: InformerOptions = {},
): Informer<T> {
  return startInformer(client, type, options);
}

export function startInformer<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  options: InformerOptions,
  tuning: InformerTuning = {},
): Informer<T> {
  const informer = new WatchingInformer(client, type, options, tuning);
  void informer.run();
  return informer;
}

class WatchingInformer<T extends KubeObject> implements Informer<T> {
  readonly #client: KubeClient;
  readonly #type: ResourceType<T>;
  readonly #options: InformerOptions;
  readonly #tuning: InformerTuning;
  readonly #handlers = new Set<(event: InformerEvent<T>) => void>();
  readonly #closing = new AbortController();
  readonly #store = new Map<string, T>();
  readonly #synced = deferred<void>();
  /** Where the watch goes on; `undefined` asks for a list. */
  #resourceVersion: string | undefined;
  #hasSynced = false;
  #lastComplaint = '';

  constructor(client: KubeClient, type: ResourceType<T>, options: InformerOptions, tuning: InformerTuning) {
    this.#client = client;
    this.#type = type;
    this.#options = options;
    this.#tuning = tuning;
    // Whoever waits gets the rejection; when nobody does it is no news.
    this.#synced.promise.catch(() => {});
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  async synced(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (!signal) return this.#synced.promise;
    const aborted = deferred<never>();
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await Promise.race([this.#synced.promise, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  get(name: string, namespace?: string): T | undefined {
    return this.#store.get(key(namespace, name));
  }

  list(namespace?: string): T[] {
    const all = [...this.#store.values()];
    return namespace === undefined ? all : all.filter((object) => object.metadata?.namespace === namespace);
  }

  subscribe(handler: (event: InformerEvent<T>) => void): () => void {
    // A function subscribed twice has two subscriptions.
    const own = (event: InformerEvent<T>): void => handler(event);
    for (const object of this.#store.values()) this.#tell(own, { type: 'ADDED', object });
    this.#handlers.add(own);
    return () => this.#handlers.delete(own);
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new Error('the informer is closed'));
    this.#handlers.clear();
    this.#synced.reject(this.#closing.signal.reason);
  }

  async run(): Promise<void> {
    const { signal } = this.#closing;
    let failures = 0;
    let fruitless = 0;
    while (!signal.aborted) {
      const startedAt = performance.now();
      let fruit = false;
      try {
        if (this.#resourceVersion === undefined) await this.#relist();
        fruit = await this.#watch(this.#resourceVersion!);
      } catch (error) {
        if (signal.aborted) return;
        this.#complain(error);
        if (wantsList(error)) this.#resourceVersion = undefined;
        else if (error instanceof Interrupted) fruit = error.fruit;
      }
      fruitless = fruit ? 0 : fruitless + 1;
      if (fruitless > 0 && fruitless % fruitlessWatches === 0) this.#resourceVersion = undefined;
      // Even a good watch is followed by a short pause of random length: many informers lose the same server at once.
      failures = performance.now() - startedAt >= goodWatchMs ? 0 : failures + 1;
      await pause(backoffMs(failures, this.#tuning.backoff), signal).catch(() => {});
    }
  }

  async #relist(): Promise<void> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    const { items, resourceVersion } = await this.#client.list(this.#type, {
      namespace,
      labelSelector,
      fieldSelector,
      signal: this.#closing.signal,
    });
    const gone = new Map(this.#store);
    for (const item of items) {
      gone.delete(keyOf(item));
      this.#put(item);
    }
    for (const object of gone.values()) this.#remove(object);
    this.#resourceVersion = resourceVersion;
    if (this.#hasSynced || this.#closing.signal.aborted) return;
    this.#hasSynced = true;
    this.#synced.resolve();
  }

  /** @returns whether anything came of it */
  async #watch(resourceVersion: string): Promise<boolean> {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    const { watchSeconds = defaultWatchSeconds, graceMs = defaultGraceMs } = this.#tuning;
    const timeoutSeconds = Math.ceil(watchSeconds * (1 + Math.random() / 3));
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(new Error('the watch went silent')), timeoutSeconds * 1000 + graceMs).unref();
    const unlink = abortWith(ending, this.#closing.signal);
    let fruit = false;
    try {
      for await (const event of this.#client.watch(this.#type, {
        namespace,
        labelSelector,
        fieldSelector,
        resourceVersion,
        timeoutSeconds,
        signal: ending.signal,
      })) {
        if (this.#closing.signal.aborted) break;
        this.#take(event);
        fruit = true;
        this.#lastComplaint = '';
      }
      // A watch that ran its time on a quiet kind is no failure.
      return fruit;
    } catch (error) {
      throw wantsList(error) ? error : new Interrupted(error, fruit);
    } finally {
      clearTimeout(timer);
      unlink();
    }
  }

  #take({ type, object }: WatchEvent<T>): void {
    if (type === 'DELETED') this.#remove(object);
    else if (type !== 'BOOKMARK') this.#put(object);
    this.#resourceVersion = object.metadata?.resourceVersion ?? this.#resourceVersion;
  }

  #put(object: T): void {
    if (object.metadata) delete object.metadata.managedFields;
    const at = keyOf(object);
    const old = this.#store.get(at);
    if (old && old.metadata?.resourceVersion === object.metadata?.resourceVersion) return;
    // Deleted and made again while nobody watched: two objects that share a name.
    if (old && old.metadata?.uid !== object.metadata?.uid) this.#remove(old);
    const known = this.#store.get(at);
    this.#store.set(at, object);
    this.#emit(known ? { type: 'MODIFIED', object, old: known } : { type: 'ADDED', object });
  }

  #remove(object: T): void {
    const at = keyOf(object);
    const old = this.#store.get(at);
    if (!old) return;
    if (object.metadata) delete object.metadata.managedFields;
    this.#store.delete(at);
    this.#emit({ type: 'DELETED', object, old });
  }

  #emit(event: InformerEvent<T>): void {
    // A copy: who subscribes in a handler has been told of this object by the store.
    for (const handler of new Set(this.#handlers)) this.#tell(handler, event);
  }

  #tell(handler: (event: InformerEvent<T>) => void, event: InformerEvent<T>): void {
    try {
      handler(event);
    } catch (error) {
      this.#options.log?.(
        `a handler for ${this.#type.plural} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    }
  }

  /** Says each trouble once, not at each of its repetitions. */
  #complain(error: unknown): void {
    const cause = error instanceof Interrupted ? error.cause : error;
    const message = cause instanceof Error ? cause.message : String(cause);
    if (message === this.#lastComplaint) return;
    this.#lastComplaint = message;
    this.#options.log?.(`watching ${this.#type.plural}: ${message}`);
  }
}

/** A watch that broke off, and whether anything had come of it. */
class Interrupted extends Error {
  readonly fruit: boolean;

  constructor(cause: unknown, fruit: boolean) {
    super('the watch broke off', { cause });
    this.fruit = fruit;
  }
}

/** Whether the place to go on from is lost: forgotten (410), refused as such (400), or ahead of a server that was restored from a backup. */
function wantsList(error: unknown): boolean {
  if (hasReason(error, 'Expired', 'Gone')) return true;
  if (!(error instanceof KubeError)) return false;
  return (
    error.code === 400 ||
    (error.status.details?.causes ?? []).some(({ reason }) => reason === 'ResourceVersionTooLarge') ||
    /too large resource version/i.test(error.message)
  );
}

function keyOf({ metadata }: KubeObject): string {
  return key(metadata?.namespace, metadata?.name ?? '');
}

function key(namespace: string | undefined, name: string): string {
  return namespace ? `${namespace}/${name}` : name;
}

function deferred<V>(): { promise: Promise<V>; resolve(value: V): void; reject(reason: unknown): void } {
  let settle: { resolve(value: V): void; reject(reason: unknown): void };
  const promise = new Promise<V>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...settle! };
}
