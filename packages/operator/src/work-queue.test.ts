import { afterEach, describe, expect, it, vi } from 'vitest';
import { WorkQueue, type Outcome } from './work-queue.ts';

afterEach(() => vi.useRealTimers());

/** Work that is finished by hand. */
function manualWork() {
  const started: string[] = [];
  const finish: (() => void)[] = [];
  const process = (key: string) =>
    new Promise<Outcome>((resolve) => {
      started.push(key);
      finish.push(() => resolve({}));
    });
  return { started, finish, process };
}

const ignore = { onError: () => undefined };
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('WorkQueue', () => {
  it('works on a key that was added many times once, and never twice at the same time', async () => {
    const { started, finish, process } = manualWork();
    const queue = new WorkQueue({ process, concurrency: 4, ...ignore });
    queue.add('a');
    queue.add('a');
    queue.add('a');
    expect(started).toEqual(['a']);
    finish[0]!();
    await settle();
    expect(started).toEqual(['a', 'a']);
    finish[1]!();
    await settle();
    expect(started).toHaveLength(2);
    await queue.close();
  });

  it('works on as many keys at once as it may', async () => {
    const { started, finish, process } = manualWork();
    const queue = new WorkQueue({ process, concurrency: 2, ...ignore });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    expect(started).toEqual(['a', 'b']);
    finish[1]!();
    await settle();
    expect(started).toEqual(['a', 'b', 'c']);
    finish[0]!();
    finish[2]!();
    await queue.close();
  });

  it('tries again after delays that double to a limit, and starts over after a success', async () => {
    vi.useFakeTimers();
    const delays: number[] = [];
    let failing = true;
    const queue = new WorkQueue({
      process: async () => {
        if (failing) throw new Error('no');
        return {};
      },
      onError: (_, __, delay) => delays.push(delay),
      concurrency: 1,
      firstRetryMs: 100,
      longestRetryMs: 500,
    });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(1_300);
    expect(delays).toEqual([100, 200, 400, 500, 500].slice(0, delays.length));
    expect(delays.length).toBe(5);
    failing = false;
    await vi.advanceTimersByTimeAsync(500);
    failing = true;
    queue.add('a');
    await vi.advanceTimersByTimeAsync(0);
    expect(delays.at(-1)).toBe(100);
    await queue.close();
  });

  it('comes back when the outcome says so', async () => {
    vi.useFakeTimers();
    let runs = 0;
    const queue = new WorkQueue({
      process: async () => ({ requeueAfterMs: (runs += 1) < 3 ? 1_000 : undefined }),
      concurrency: 1,
      ...ignore,
    });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(runs).toBe(3);
    await queue.close();
  });

  it('finishes what is in work before it is closed, and starts nothing more', async () => {
    const { started, finish, process } = manualWork();
    const queue = new WorkQueue({ process, concurrency: 1, ...ignore });
    queue.add('a');
    queue.add('b');
    let closed = false;
    const closing = queue.close().then(() => {
      closed = true;
    });
    await settle();
    expect(closed).toBe(false);
    finish[0]!();
    await closing;
    queue.add('c');
    expect(started).toEqual(['a']);
  });
});
