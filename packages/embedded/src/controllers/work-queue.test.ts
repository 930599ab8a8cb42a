import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
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
