import { describe, expect, it } from 'vitest';
import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { ContainerStatus, Pod } from 'kubernetes-types/core/v1.d.ts';
import { workloadState } from './workload-state.ts';

const set: StatefulSet = {
  metadata: { name: 'db', generation: 2 },
  status: { replicas: 1, observedGeneration: 2, updateRevision: 'db-2' },
};
const pod = (status: Pod['status'], revision = 'db-2'): Pod => ({
  metadata: { name: 'db-0', namespace: 'shop-test', labels: { 'controller-revision-hash': revision } },
  status,
});
const container = (status: Partial<ContainerStatus>): Pod =>
  pod({ containerStatuses: [{ name: 'postgres', image: '', imageID: '', ready: false, restartCount: 1, ...status }] });

describe('workloadState', () => {
  it.each([
    ['a StatefulSet that is not there yet', undefined, undefined, 'Creating', ''],
    ['a pod that is not there yet', set, undefined, 'Creating', ''],
    [
      'a pod that no node takes',
      set,
      pod({ conditions: [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes: insufficient memory' }] }),
      'Unschedulable',
      'insufficient memory',
    ],
    [
      'an image that is not to be had',
      set,
      container({ state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } } }),
      'ImagePullBackOff',
      'no such image',
    ],
    [
      'a program that is not to be had',
      set,
      container({ state: { waiting: { reason: 'EngineUnavailable', message: 'install it' } } }),
      'EngineUnavailable',
      'install it',
    ],
    [
      'a crash loop',
      set,
      container({ state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 1 } } }),
      'CrashLoopBackOff',
      'exit code 1',
    ],
    [
      'the log of a crash loop',
      set,
      container({ state: { waiting: { reason: 'CrashLoopBackOff' } } }),
      'CrashLoopBackOff',
      'kubectl logs db-0 -n shop-test --previous',
    ],
    [
      'too little memory',
      set,
      container({ state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } } }),
      'CrashLoopBackOff',
      'raise its memory limit',
    ],
    [
      'a download',
      set,
      container({ state: { waiting: { reason: 'ContainerCreating', message: 'downloading 40 %' } } }),
      'Starting',
      'downloading 40 %',
    ],
    ['a start', set, container({ restartCount: 0, state: { running: {} } }), 'Starting', 'does not accept connections yet'],
    ['a pod that stops', set, { ...pod({}), metadata: { name: 'db-0', deletionTimestamp: '2026-01-01T00:00:00Z' } }, 'Restarting', ''],
    ['a pod with the settings of before', set, pod({ conditions: [{ type: 'Ready', status: 'True' }] }, 'db-1'), 'Updating', ''],
  ] as [string, StatefulSet | undefined, Pod | undefined, string, string][])('explains %s', (_, currentSet, currentPod, reason, text) => {
    const state = workloadState(currentSet, currentPod);
    expect(state).toMatchObject({ ready: false, reason });
    expect(state.message).toContain(text);
  });
  it('is ready when the pod is', () =>
    expect(workloadState(set, pod({ conditions: [{ type: 'Ready', status: 'True' }] })).ready).toBe(true));
});
