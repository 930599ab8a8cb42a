/** Bounds of an exponential back-off, in ms. */
export interface BackoffOptions {
  /** The longest first delay. Default 100. */
  firstMs?: number;
  /** The longest delay. Default 30 000. */
  mostMs?: number;
  /** 0 to 1 (exclusive). Default `Math.random`. */
  random?(): number;
}

/**
 * The delay before try number `attempt` (0 is the first repetition): doubling, and between half of it and all of it by
 * chance, so that many clients that lost the same server do not return in step.
 */
export function backoffMs(attempt: number, { firstMs = 100, mostMs = 30_000, random = Math.random }: BackoffOptions = {}): number {
  // 2 ** 1024 is Infinity, which the bound takes care of.
  const ceiling = Math.min(mostMs, firstMs * 2 ** attempt);
  return Math.round(ceiling * (0.5 + random() / 2));
}

/**
 * Resolves after `ms`. The timer keeps the process alive.
 * @throws the signal's reason, as soon as it aborts
 */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
