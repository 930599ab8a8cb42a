import { setMaxListeners } from 'node:events';

/**
 * Aborts `controller` when `signal` does. By hand: what AbortSignal.any makes stays with its signals for as long as they live.
 * @returns what ends it; to be called where `signal` lives longer
 */
export function abortWith(controller: AbortController, signal: AbortSignal | undefined): () => void {
  const abort = (): void => controller.abort(signal!.reason);
  // As many as there are requests.
  if (signal) setMaxListeners(0, signal);
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return () => signal?.removeEventListener('abort', abort);
}
