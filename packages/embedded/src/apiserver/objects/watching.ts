import type { KindDefinition } from '../../contracts.ts';
import type { Frozen, ObjectStore, StoreEvent } from '../store/object-store.ts';
import { badRequest, expired } from './failures.ts';
import { selectorOf, tooLarge, wholeNumber } from './listing.ts';
import { present } from './stored-object.ts';

export interface WatchSink {
  /** Whether the client has read what was sent before, or nearly so. */
  isReady(): boolean;
  /** @param listener is called each time it has become ready again. */
  onReady(listener: () => void): void;
  send(type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK', object: object): void;
  end(): void;
  /** How an object is to be shown. */
  show(object: Frozen): object;
}

const longestWatchSeconds = 3_600;
const bookmarkEveryMs = 60_000;

/**
 * Tells `sink` of every change of the objects that a request means, from its resource version on.
 * @returns ends the watch.
 * @throws a 400 or 410 failure
 */
export function watchObjects(
  store: ObjectStore,
  kind: KindDefinition,
  namespace: string | undefined,
  query: URLSearchParams,
  open: () => WatchSink,
): () => void {
  const selects = selectorOf(kind, query);
  const lastsSeconds = Math.min(wholeNumber(query, 'timeoutSeconds') ?? longestWatchSeconds, longestWatchSeconds);
  const from = wholeNumber(query, 'resourceVersion') ?? 0;
  const bookmarks = query.get('allowWatchBookmarks') === 'true';
  const initial = query.get('sendInitialEvents') === 'true';
  if (initial && query.get('resourceVersionMatch') !== 'NotOlderThan') {
    throw badRequest('sendInitialEvents: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  }
  const wholeState = initial || from === 0;
  if (from > store.revision) throw tooLarge(from, store.revision);
  if (!wholeState && (from < (kind.custom?.since ?? 0) - 1 || !store.since(from)))
    throw expired(`too old resource version: ${from} (${store.revision})`);

  const sink = open();
  const concerns = ({ storage, object }: StoreEvent): boolean =>
    storage === kind.storage && (namespace === undefined || object.metadata.namespace === namespace);
  const show = (object: Frozen): object => sink.show(present(kind, object));
  const deliver = (event: StoreEvent): void => {
    if (!concerns(event)) return;
    const is = event.type !== 'DELETED' && selects(event.object);
    const was = event.old !== undefined && selects(event.old);
    if (is) sink.send(was ? 'MODIFIED' : 'ADDED', show(event.object));
    // What leaves the selection is shown as it was, with the revision at which it left.
    else if (was)
      sink.send(
        'DELETED',
        show({ ...event.old!, metadata: { ...event.old!.metadata, resourceVersion: event.object.metadata.resourceVersion } }),
      );
  };
  /** Up to where everything has been told, once the state has been. */
  let told = wholeState ? store.revision : from;
  const state = wholeState ? store.list(kind.storage, namespace).filter(selects).reverse() : [];
  const bookmark = (annotations?: Record<string, string>): void =>
    sink.send('BOOKMARK', {
      kind: kind.type.kind,
      apiVersion: kind.type.group ? `${kind.type.group}/${kind.type.version}` : kind.type.version,
      metadata: { resourceVersion: String(told), creationTimestamp: null, ...(annotations ? { annotations } : {}) },
    });

  let ended = false;
  const stop = (): void => {
    if (ended) return;
    ended = true;
    unsubscribe();
    clearTimeout(timeout);
    clearInterval(ticking);
    sink.end();
  };
  let beginning = initial && bookmarks;
  /** Goes on for as long as the client reads. What waits is in the store's history; a client that is behind by more begins anew. */
  const tell = (): void => {
    if (ended) return;
    // An object that cannot be shown ends the watch of it, not the write.
    try {
      for (; state.length > 0; sink.send('ADDED', show(state.pop()!))) if (!sink.isReady()) return;
      if (beginning) bookmark({ 'k8s.io/initial-events-end': 'true' });
      beginning = false;
      const events = sink.isReady() ? store.since(told) : [];
      if (!events) return stop();
      for (const event of events) {
        if (!sink.isReady()) return;
        deliver(event);
        told = event.revision;
      }
    } catch {
      stop();
    }
  };
  const unsubscribe = store.subscribe(tell);
  sink.onReady(tell);
  const timeout = setTimeout(() => {
    if (bookmarks && sink.isReady()) bookmark();
    stop();
  }, lastsSeconds * 1000);
  const ticking = setInterval(() => {
    // Who is not ready has not been told everything.
    if (bookmarks && sink.isReady()) bookmark();
  }, bookmarkEveryMs);
  tell();
  return stop;
}
