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

/** What a pod's status should say, with the transition times of `before` where nothing changed. */
export function podStatusOf(pod: Pod, before: PodStatus, facts: PodFacts, now: string): PodStatus {
  const containersReady = facts.containers.length > 0 && facts.containers.every(({ ready }) => ready);
  const unready = facts.containers.filter(({ ready }) => !ready).map(({ name }) => name);
  const why = facts.finished
    ? { reason: 'PodCompleted' }
    : { reason: 'ContainersNotReady', message: facts.message ?? `containers with unready status: [${unready.join(' ')}]` };
  const conditions: PodCondition[] = [];
  const condition = (type: string, holds: boolean, reason: { reason?: string; message?: string } = {}): void => {
    const status = holds ? 'True' : 'False';
    const former = before.conditions?.find((other) => other.type === type);
    conditions.push({
      type,
      status,
      lastTransitionTime: former?.status === status ? former.lastTransitionTime : now,
      ...(holds ? {} : reason),
    });
  };
  // Gates are others' conditions: the pod is ready when they hold too.
  const gates = pod.spec?.readinessGates ?? [];
  const openGates = gates.filter(({ conditionType }) =>
    before.conditions?.some(({ type, status }) => type === conditionType && status === 'True'),
  );
  condition('Initialized', facts.initialized, { reason: 'ContainersNotInitialized' });
  condition('Ready', containersReady && openGates.length === gates.length, containersReady ? { reason: 'ReadinessGatesNotReady' } : why);
  condition('ContainersReady', containersReady, why);
  condition('PodScheduled', true);
  const own = new Set(conditions.map(({ type }) => type));
  const started = facts.containers.some(({ state, restartCount }) => state?.running || state?.terminated || restartCount > 0);
  return {
    phase: facts.finished ?? (started && facts.initialized ? 'Running' : 'Pending'),
    hostIP: '127.0.0.1',
    podIP: facts.podIP,
    podIPs: [{ ip: facts.podIP }],
    startTime: before.startTime ?? now,
    ...(facts.message === undefined ? {} : { message: facts.message }),
    conditions: [...conditions, ...(before.conditions ?? []).filter(({ type }) => !own.has(type))],
    ...(facts.initContainers.length > 0 ? { initContainerStatuses: facts.initContainers } : {}),
    containerStatuses: facts.containers,
  };
}
