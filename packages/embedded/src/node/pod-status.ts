import type { ContainerStatus, Pod, PodCondition, PodStatus } from 'kubernetes-types/core/v1.d.ts';

export interface PodFacts {
  podIP: string;
  initialized: boolean;
  /** Set once no container will run again. */
  finished: 'Succeeded' | 'Failed' | undefined;
  initContainers: ContainerStatus[];
  containers: ContainerStatus[];
  /** Why the pod has no containers yet. */
  message: string | undefined;
}

/** What a pod's status should say, with the transition times of `pod`'s own where nothing changed. */
export function podStatusOf(pod: Pod, facts: PodFacts, now: string): PodStatus {
  const containersReady = facts.containers.length > 0 && facts.containers.every(({ ready }) => ready);
  const unready = facts.containers.filter(({ ready }) => !ready).map(({ name }) => name);
  const why = facts.finished ? { reason: 'PodCompleted' } : { reason: 'ContainersNotReady', message: facts.message ?? `containers with unready status: [${unready.join(' ')}]` };
  const condition = (type: string, holds: boolean, reason: { reason?: string; message?: string } = {}): PodCondition => {
    const status = holds ? 'True' : 'False';
    const before = pod.status?.conditions?.find((other) => other.type === type);
    return { type, status, lastProbeTime: undefined, lastTransitionTime: before?.status === status ? before.lastTransitionTime : now, ...(holds ? {} : reason) };
  };
  const started = facts.containers.some(({ state, restartCount }) => state?.running || state?.terminated || restartCount > 0);
  return {
    phase: facts.finished ?? (started && facts.initialized ? 'Running' : 'Pending'),
    hostIP: '127.0.0.1',
    podIP: facts.podIP,
    podIPs: [{ ip: facts.podIP }],
    startTime: pod.status?.startTime ?? now,
    ...(facts.message === undefined ? {} : { message: facts.message }),
    conditions: [
      condition('Initialized', facts.initialized, { reason: 'ContainersNotInitialized' }),
      condition('Ready', containersReady, why),
      condition('ContainersReady', containersReady, why),
      condition('PodScheduled', true),
    ],
    ...(facts.initContainers.length > 0 ? { initContainerStatuses: facts.initContainers } : {}),
    containerStatuses: facts.containers,
  };
}
