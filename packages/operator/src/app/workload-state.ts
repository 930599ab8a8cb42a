import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { isPassing } from '@skipper/api';
import { isPodReady, notReady, podState, type WorkloadState } from '../pod-state.ts';
import { templateAnnotation } from './deployment.ts';

export interface AppWorkloadState extends WorkloadState {
  replicas: number;
  readyReplicas: number;
}

/** What the state of the Deployment and its pods means for the people who wait for the app. */
export function workloadState(deployment: Deployment | undefined, pods: readonly Pod[]): AppWorkloadState {
  const there = pods.filter(({ metadata }) => !metadata?.deletionTimestamp);
  const newest = there.filter((pod) => digestOf(pod) === deployment?.spec?.template.metadata?.annotations?.[templateAnnotation]);
  const readyReplicas = deployment ? newest.filter(isPodReady).length : 0;
  return { ...judged(deployment, newest, readyReplicas, there.length - newest.length), replicas: there.length, readyReplicas };
}

function judged(deployment: Deployment | undefined, newest: readonly Pod[], ready: number, older: number): WorkloadState {
  if (!deployment) return notReady('Creating', 'The Deployment is being made.');
  const { spec, status, metadata } = deployment;
  const wanted = spec?.replicas ?? 1;
  const rolledOut =
    status?.observedGeneration === metadata?.generation &&
    (status?.updatedReplicas ?? 0) === wanted &&
    (status?.replicas ?? 0) === wanted &&
    (status?.availableReplicas ?? 0) === wanted;
  if (rolledOut && ready === wanted)
    return wanted === 0
      ? { ready: true, reason: 'ScaledToZero', message: 'It has no replicas, as it is wanted.' }
      : { ready: true, reason: 'Running', message: `${wanted === 1 ? '1 replica runs' : `${wanted} replicas run`}.` };
  const serving =
    older > 0 ? ` ${older === 1 ? 'One pod' : `${older} pods`} with the settings of before ${older === 1 ? 'goes' : 'go'} on.` : '';
  const failure = status?.conditions?.find(({ type, status: holds }) => type === 'ReplicaFailure' && holds === 'True');
  if (failure)
    return notReady(failure.reason ?? 'ReplicaFailure', `Pods cannot be made: ${failure.message ?? 'no reason was given'}.${serving}`);
  const troubles = newest.filter((pod) => !isPodReady(pod)).map(podState);
  const trouble = troubles.find(({ reason }) => !isPassing(reason)) ?? troubles[0];
  if (trouble && !isPassing(trouble.reason)) return notReady(trouble.reason, `${trouble.message}${serving}`);
  const progress = `${ready} of ${wanted} replicas with the newest settings are ready.`;
  return notReady(older > 0 ? 'Updating' : 'Starting', `${progress}${trouble ? ` ${trouble.message}` : ''}${serving}`);
}

function digestOf(pod: Pod): string | undefined {
  return pod.metadata?.annotations?.[templateAnnotation];
}
