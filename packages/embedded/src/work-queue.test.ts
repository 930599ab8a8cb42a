import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { createWorkQueue } from './work-queue.ts';

it('a work queue does not do at once what is to be done in a month', async () => {
  const done: string[] = [];
  const queue = createWorkQueue(
    async (key) => void done.push(key),
    () => undefined,
  );
  queue.addAfter('in a month', 30 * 86_400_000);
  queue.addAfter('soon', 5);
  while (done.length === 0) await delay(5);
  await queue.close();
  expect(done).toEqual(['soon']);
});

it('a work queue that is closed sets no timers', async () => {
  vi.useFakeTimers();
  const queue = createWorkQueue(
    async () => undefined,
    () => undefined,
  );
  await queue.close();
  queue.addAfter('soon', 5);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});
