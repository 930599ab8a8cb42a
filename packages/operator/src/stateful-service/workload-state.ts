import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { isPodReady, notReady, podState, type WorkloadState } from '../pod-state.ts';

/** What the pod's state means for the people who wait for it. */
export function workloadState(set: StatefulSet | undefined, pod: Pod | undefined): WorkloadState {
  if (!set) return notReady('Creating', 'The StatefulSet is being made.');
  if (!pod) return notReady('Creating', 'The pod is being made.');
  const name = pod.metadata?.name ?? '';
  if (pod.metadata?.deletionTimestamp) return notReady('Restarting', `Pod "${name}" is stopping; a new one follows.`);
  if (isOutdated(set, pod)) return notReady('Updating', `Pod "${name}" is about to be replaced by one with the new settings.`);
  if (isPodReady(pod)) return { ready: true, reason: 'Running', message: 'It runs and accepts connections.' };
  return podState(pod);
}

/** Whether the pod was made from an older template than the StatefulSet has now. */
export function isOutdated(set: StatefulSet, pod: Pod): boolean {
  if (set.status?.observedGeneration !== undefined && set.status.observedGeneration !== set.metadata?.generation) return true;
  const wanted = set.status?.updateRevision;
  const actual = pod.metadata?.labels?.['controller-revision-hash'];
  return wanted !== undefined && actual !== undefined && wanted !== actual;
}
