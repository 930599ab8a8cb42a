import type { Socket } from 'node:net';

/** A URL has an IPv6 address in brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

/** Resolves with `socket` at `event`; destroys it when it fails or `signal` aborts before. */
export function established<T extends Socket>(socket: T, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown): void => {
      signal.removeEventListener('abort', onAbort);
      socket.off(event, onReady).off('error', settle).off('close', onClose);
      if (error === undefined) return resolve(socket);
      // What a dying socket still reports is no news.
      socket.on('error', () => {}).destroy();
      reject(error);
    };
    const onReady = (): void => settle();
    const onClose = (): void => settle(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }));
    const onAbort = (): void => settle(signal.reason);
    socket.on(event, onReady).on('error', settle).on('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
