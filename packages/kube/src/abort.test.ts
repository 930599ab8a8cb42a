import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { abortWith } from './abort.ts';

it('lets any number depend on one signal, and says nothing of it', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on('warning', note);
  try {
    const source = new AbortController();
    const dependents = Array.from({ length: 20 }, () => new AbortController());
    for (const dependent of dependents) abortWith(dependent, source.signal);
    await setImmediate();
    expect(warnings).toEqual([]);
    const reason = new Error('over');
    source.abort(reason);
    for (const { signal } of dependents) expect(signal.reason).toBe(reason);
  } finally {
    process.off('warning', note);
  }
});
