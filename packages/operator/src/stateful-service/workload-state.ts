import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { ContainerStatus, Pod } from 'kubernetes-types/core/v1.d.ts';

export interface WorkloadState {
  ready: boolean;
  /** CamelCase. */
  reason: string;
  message: string;
}

/** Reasons a container waits for in the normal course of a start. */
const starting = new Set(['ContainerCreating', 'PodInitializing']);

/** What the pod's state means for the people who wait for it. */
export function workloadState(set: StatefulSet | undefined, pod: Pod | undefined): WorkloadState {
  if (!set) return notReady('Creating', 'The StatefulSet is being made.');
  if (!pod) return notReady('Creating', 'The pod is being made.');
  const name = pod.metadata?.name ?? '';
  if (pod.metadata?.deletionTimestamp) return notReady('Restarting', `Pod "${name}" is stopping; a new one follows.`);
  if (isOutdated(set, pod)) return notReady('Updating', `Pod "${name}" is about to be replaced by one with the new settings.`);
  const condition = (type: string) => pod.status?.conditions?.find((candidate) => candidate.type === type);
  if (condition('Ready')?.status === 'True') return { ready: true, reason: 'Running', message: 'It runs and accepts connections.' };
  const scheduled = condition('PodScheduled');
  if (scheduled?.status === 'False')
    return notReady('Unschedulable', `No node takes pod "${name}": ${scheduled.message ?? 'the scheduler gave no reason'}`);
  const container = pod.status?.containerStatuses?.[0];
  return container ? containerState(name, container) : notReady('Starting', pod.status?.message ?? `Pod "${name}" is being prepared.`);
}

function containerState(pod: string, status: ContainerStatus): WorkloadState {
  const waiting = status.state?.waiting;
  const ended = status.state?.terminated ?? status.lastState?.terminated;
  const ending = ended
    ? ` It ended with ${ended.signal ? `signal ${ended.signal}` : `exit code ${ended.exitCode ?? 'unknown'}`}${ended.reason === 'OOMKilled' ? ' for lack of memory: raise its memory limit' : ''}${ended.message ? ` (${ended.message.trim()})` : ''}.`
    : '';
  if (waiting?.reason === 'CrashLoopBackOff')
    return notReady(
      'CrashLoopBackOff',
      `Pod "${pod}" fails again and again after its start.${ending} Its log says why: kubectl logs ${pod} --previous`,
    );
  if (waiting?.reason && starting.has(waiting.reason)) return notReady('Starting', waiting.message ?? `Pod "${pod}" is being prepared.`);
  if (waiting?.reason) return notReady(waiting.reason, `Pod "${pod}" cannot start: ${waiting.message ?? waiting.reason}`);
  if (status.state?.terminated) return notReady('Stopped', `Pod "${pod}" stopped.${ending}`);
  return notReady(
    'Starting',
    `Pod "${pod}" runs but does not accept connections yet.${ended && (status.restartCount ?? 0) > 0 ? ending : ''}`,
  );
}

/** Whether the pod was made from an older template than the StatefulSet has now. */
export function isOutdated(set: StatefulSet, pod: Pod): boolean {
  if (set.status?.observedGeneration !== undefined && set.status.observedGeneration !== set.metadata?.generation) return true;
  const wanted = set.status?.updateRevision;
  const actual = pod.metadata?.labels?.['controller-revision-hash'];
  return wanted !== undefined && actual !== undefined && wanted !== actual;
}

function notReady(reason: string, message: string): WorkloadState {
  return { ready: false, reason, message };
}
