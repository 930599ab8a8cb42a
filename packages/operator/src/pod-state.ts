import type { ContainerStatus, Pod } from 'kubernetes-types/core/v1.d.ts';
import { nameOf, namespaceOf } from './ownership.ts';

export interface WorkloadState {
  ready: boolean;
  /** CamelCase. */
  reason: string;
  message: string;
}

/** Reasons a container waits for in the normal course of a start. */
const starting = new Set(['ContainerCreating', 'PodInitializing']);

export function notReady(reason: string, message: string): WorkloadState {
  return { ready: false, reason, message };
}

export function isPodReady(pod: Pod): boolean {
  return podCondition(pod, 'Ready')?.status === 'True';
}

/** Why a pod that is not Ready is not. */
export function podState(pod: Pod): WorkloadState {
  const name = nameOf(pod);
  const scheduled = podCondition(pod, 'PodScheduled');
  if (scheduled?.status === 'False')
    return notReady('Unschedulable', `No node takes pod "${name}": ${scheduled.message ?? 'the scheduler gave no reason'}`);
  const container = pod.status?.containerStatuses?.[0];
  return container ? containerState(pod, container) : notReady('Starting', pod.status?.message ?? `Pod "${name}" is being prepared.`);
}

function podCondition(pod: Pod, type: string) {
  return pod.status?.conditions?.find((candidate) => candidate.type === type);
}

function containerState(pod: Pod, status: ContainerStatus): WorkloadState {
  const name = nameOf(pod);
  const waiting = status.state?.waiting;
  const ended = status.state?.terminated ?? status.lastState?.terminated;
  const ending = ended
    ? ` It ended with ${ended.signal ? `signal ${ended.signal}` : `exit code ${ended.exitCode ?? 'unknown'}`}${ended.reason === 'OOMKilled' ? ' for lack of memory: raise its memory limit' : ''}${ended.message ? ` (${ended.message.trim()})` : ''}.`
    : '';
  if (waiting?.reason === 'CrashLoopBackOff')
    return notReady(
      'CrashLoopBackOff',
      `Pod "${name}" fails again and again after its start.${ending} Its log says why: kubectl logs ${name} -n ${namespaceOf(pod)} --previous`,
    );
  if (waiting?.reason && starting.has(waiting.reason)) return notReady('Starting', waiting.message ?? `Pod "${name}" is being prepared.`);
  if (waiting?.reason) return notReady(waiting.reason, `Pod "${name}" cannot start: ${waiting.message ?? waiting.reason}`);
  if (status.state?.terminated) return notReady('Stopped', `Pod "${name}" stopped.${ending}`);
  return notReady(
    'Starting',
    `Pod "${name}" runs but does not accept connections yet.${ended && (status.restartCount ?? 0) > 0 ? ending : ''}`,
  );
}
