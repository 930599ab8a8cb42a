import type { KindDefinition } from '../../contracts.ts';
import type { Frozen, ObjectStore, StoreEvent } from '../store/object-store.ts';
import { badRequest, expired } from './failures.ts';
import { selectorOf, tooLarge, wholeNumber } from './listing.ts';
import { present } from './stored-object.ts';

export interface WatchSink {
  /** @returns ends the watch when false: the client is gone or reads too slowly. */
  send(type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK', object: object): boolean;
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
  const missed = wholeState ? [] : from < (kind.custom?.since ?? 0) - 1 ? undefined : store.since(from);
  if (!missed) throw expired(`too old resource version: ${from} (${store.revision})`);

  const sink = open();
  const concerns = ({ storage, object }: StoreEvent): boolean =>
    storage === kind.storage && (namespace === undefined || object.metadata.namespace === namespace);
  const show = (object: Frozen): object => sink.show(present(kind, object));
  const deliver = (event: StoreEvent): boolean => {
    if (!concerns(event)) return true;
    const is = event.type !== 'DELETED' && selects(event.object);
    const was = event.old !== undefined && selects(event.old);
    if (is) return sink.send(was ? 'MODIFIED' : 'ADDED', show(event.object));
    // What leaves the selection is shown as it was, with the revision at which it left.
    if (was)
      return sink.send(
        'DELETED',
        show({ ...event.old!, metadata: { ...event.old!.metadata, resourceVersion: event.object.metadata.resourceVersion } }),
      );
    return true;
  };
  const bookmark = (annotations?: Record<string, string>): boolean =>
    sink.send('BOOKMARK', {
      kind: kind.type.kind,
      apiVersion: kind.type.group ? `${kind.type.group}/${kind.type.version}` : kind.type.version,
      metadata: { resourceVersion: String(store.revision), creationTimestamp: null, ...(annotations ? { annotations } : {}) },
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
  const unsubscribe = store.subscribe((event) => {
    // An object that cannot be shown ends the watch of it, not the write.
    try {
      if (!deliver(event)) stop();
    } catch {
      stop();
    }
  });
  const timeout = setTimeout(() => {
    if (bookmarks) bookmark();
    stop();
  }, lastsSeconds * 1000);
  const ticking = setInterval(() => {
    if (bookmarks && !bookmark()) stop();
  }, bookmarkEveryMs);
  let going = true;
  if (wholeState)
    for (const object of store.list(kind.storage, namespace)) if (going && selects(object)) going = sink.send('ADDED', show(object));
  for (const event of missed) if (going) going = deliver(event);
  if (going && initial && bookmarks) going = bookmark({ 'k8s.io/initial-events-end': 'true' });
  if (!going) stop();
  return stop;
}
