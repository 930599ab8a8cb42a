import { KipError, type KubeObject } from '@skipper/api';
import type { Status } from 'kubernetes-types/meta/v1.d.ts';
import { abortWith } from './abort.ts';
import type { ApiCalls } from './api-calls.ts';
import { KubeError } from './errors.ts';
import type { WatchEvent } from './types.ts';

/** etcd's objects end at 1.5 MiB; a line beyond this is none, and must not fill the memory. */
const lineLimit = 64 * 1024 * 1024;
const newline = 0x0a;

/** The events of a watch. `return` ends it at once, even while an event is waited for: a generator alone would wait for the event. */
export function watchEvents<T extends KubeObject>(
  calls: ApiCalls,
  path: string,
  signal: AbortSignal | undefined,
): AsyncIterator<WatchEvent<T>> {
  const ending = new AbortController();
  const unlink = abortWith(ending, signal);
  const events = readWatch<T>(calls, path, ending.signal);
  return {
    async next() {
      try {
        const event = await events.next();
        if (event.done) unlink();
        return event;
      } catch (error) {
        unlink();
        if (ending.signal.aborted && !signal?.aborted) return { done: true, value: undefined };
        throw error;
      }
    },
    async return() {
      unlink();
      ending.abort();
      return { done: true, value: undefined };
    },
  };
}

async function* readWatch<T extends KubeObject>(calls: ApiCalls, path: string, signal: AbortSignal): AsyncGenerator<WatchEvent<T>> {
  const response = await calls.open({ method: 'GET', path, signal, safe: true });
  const onAbort = (): void => {
    response.destroy();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const line of lines(response)) {
      signal.throwIfAborted();
      yield parseWatchEvent<T>(line);
    }
    signal.throwIfAborted();
  } catch (error) {
    signal.throwIfAborted();
    if (calls.closed) return;
    throw error instanceof KubeError || error instanceof KipError ? error : calls.unreachable(error);
  } finally {
    signal.removeEventListener('abort', onAbort);
    response.destroy();
  }
}

/** The lines of a stream. Decoded line by line, so that no character is cut where a chunk ends. */
export async function* lines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      const part = chunk.subarray(start, end);
      const line = held.length > 0 ? Buffer.concat([...held, part]) : part;
      held = [];
      heldBytes = 0;
      start = end + 1;
      if (line.length > 0) yield line.toString('utf8');
    }
    if (start === chunk.length) continue;
    held.push(chunk.subarray(start));
    heldBytes += chunk.length - start;
    if (heldBytes > lineLimit)
      throw new KipError('unreachable', 'The server sent a watch event without an end.', {
        hint: 'Something else than a Kubernetes API server may answer at this address.',
      });
  }
  // A last line without its end was cut off.
}

const eventTypes = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'];

/** @throws KubeError for an ERROR event, KipError for what is no event */
export function parseWatchEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  const event = tryParse(line) as { type?: string; object?: unknown } | undefined;
  if (typeof event === 'object' && event !== null && typeof event.object === 'object' && event.object !== null) {
    if (event.type === 'ERROR') {
      const status = event.object as Status;
      throw new KubeError(
        status.code ?? 500,
        status,
        status.details?.retryAfterSeconds === undefined ? undefined : status.details.retryAfterSeconds * 1000,
      );
    }
    if (eventTypes.includes(event.type ?? '')) return event as WatchEvent<T>;
  }
  throw new KipError('unreachable', 'The server sent something else than a watch event.', {
    hint: 'A proxy on the way may have cut or changed the answer.',
  });
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
