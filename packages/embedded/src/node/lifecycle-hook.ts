import { setTimeout as delay } from 'node:timers/promises';
import type { LifecycleHandler } from 'kubernetes-types/core/v1.d.ts';
import { timerDelay } from '../timer-delay.ts';
import { actOnce, type ProbeTarget } from './probe.ts';

/** Carries out a `postStart` or `preStop` hook. @returns why it failed; `undefined` when it did not, or when there is none. */
export async function runLifecycleHook(
  hook: LifecycleHandler | undefined,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (!hook) return undefined;
  const { sleep } = hook as { sleep?: { seconds: number } };
  try {
    if (sleep) {
      await delay(timerDelay(sleep.seconds * 1000), undefined, { signal });
      return undefined;
    }
    const { success, message } = await actOnce(hook, target, signal);
    return success ? undefined : message;
  } catch (error) {
    return (error as Error).message;
  }
}
