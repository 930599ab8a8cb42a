import { timerDelay } from './timer-delay.ts';

/** Runs work by key: one piece of a key at a time, again when it was asked for meanwhile, later when it failed. */
export interface WorkQueue {
  add(key: string): void;
  /** A time that is longer than timers hold passes in parts: the work is done too soon, and asks again. */
  addAfter(key: string, ms: number): void;
  close(): Promise<void>;
}

const firstBackOffMs = 100;
const longestBackOffMs = 30_000;

export function createWorkQueue(work: (key: string) => Promise<void>, onError: (key: string, error: Error) => void): WorkQueue {
  const running = new Map<string, Promise<void>>();
  const again = new Set<string>();
  const failures = new Map<string, number>();
  const timers = new Map<string, NodeJS.Timeout>();
  let closed = false;

  const run = (key: string): void => {
    if (closed) return;
    if (running.has(key)) return void again.add(key);
    clearTimeout(timers.get(key));
    timers.delete(key);
    const turn = work(key)
      .then(
        () => void failures.delete(key),
        (error: Error) => {
          if (closed) return;
          const count = failures.get(key) ?? 0;
          failures.set(key, count + 1);
          onError(key, error);
          addAfter(key, Math.min(firstBackOffMs * 2 ** count, longestBackOffMs));
        },
      )
      .finally(() => {
        running.delete(key);
        if (again.delete(key)) run(key);
      });
    running.set(key, turn);
  };
  const addAfter = (key: string, ms: number): void => {
    if (closed) return;
    clearTimeout(timers.get(key));
    timers.set(
      key,
      setTimeout(() => run(key), timerDelay(ms)),
    );
  };
  return {
    add: run,
    addAfter,
    async close() {
      closed = true;
      for (const timer of timers.values()) clearTimeout(timer);
      await Promise.all(running.values());
    },
  };
}
