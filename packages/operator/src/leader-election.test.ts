import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { KubeClient } from '@skipper/kube';
import { takePartInElection } from './leader-election.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());
afterEach(() => void vi.restoreAllMocks());

it('gives up before its lease has run out when the server falls silent', async () => {
  let lease: Lease | undefined;
  let isSilent = false;
  const answer = <T>(result: () => T, signal: AbortSignal | undefined): Promise<T> =>
    isSilent
      ? new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)))
      : Promise.resolve(result());
  const client = {
    find: (_type: unknown, _name: unknown, { signal }: { signal?: AbortSignal }) => answer(() => lease, signal),
    create: (_type: unknown, object: Lease, { signal }: { signal?: AbortSignal }) => answer(() => (lease = object), signal),
    replace: (_type: unknown, object: Lease, { signal }: { signal?: AbortSignal }) => answer(() => (lease = object), signal),
  } as unknown as KubeClient;
  const told: string[] = [];
  const election = takePartInElection({
    client,
    namespace: 'n',
    name: 'l',
    identity: 'me',
    log: () => undefined,
    onElected: async () => void told.push('elected'),
    onDeposed: async () => void told.push('deposed'),
  });
  await vi.advanceTimersByTimeAsync(6_000);
  expect(told).toEqual(['elected']);
  isSilent = true;
  // Another may take the lease 15 s after its last renewal, which was at most 5 s ago.
  await vi.advanceTimersByTimeAsync(10_000);
  expect(told).toEqual(['elected', 'deposed']);
  isSilent = false;
  await vi.advanceTimersByTimeAsync(6_000);
  expect(told).toEqual(['elected', 'deposed', 'elected']);
  await election.close();
});

it('gathers nothing at its signal, however often it renews', async () => {
  const gathers = vi.spyOn(AbortSignal, 'any');
  const listens = vi.spyOn(EventTarget.prototype, 'addEventListener');
  let lease: Lease | undefined;
  const keep = async (_type: unknown, object: Lease) => (lease = object);
  const client = { find: async () => lease, create: keep, replace: keep } as unknown as KubeClient;
  const none = async () => undefined;
  const election = takePartInElection({
    client,
    namespace: 'n',
    name: 'l',
    identity: 'me',
    log: () => undefined,
    onElected: none,
    onDeposed: none,
  });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(gathers).not.toHaveBeenCalled();
  const signals = new Set(listens.mock.contexts as AbortSignal[]);
  // The pause before the next renewal.
  expect([...signals].flatMap((signal) => getEventListeners(signal, 'abort'))).toHaveLength(1);
  await election.close();
});
