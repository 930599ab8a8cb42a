import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from 'kubernetes-types/apps/v1.d.ts';
import { unavailableLimit } from './rollout.ts';

const defaultDeadlineSeconds = 600;

/** @returns the status, and ms after which the deployment will have made no progress for too long if nothing happens. */
export function deploymentStatusOf(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  own: readonly ReplicaSet[],
  now: Date,
): { status: DeploymentStatus; deadlineInMs: number | undefined } {
  const { spec, status: before } = deployment;
  const sum = (field: 'replicas' | 'readyReplicas' | 'availableReplicas'): number =>
    own.reduce((total, set) => total + (set.status?.[field] ?? 0), 0);
  const wanted = spec!.replicas ?? 1;
  const counts = {
    replicas: sum('replicas'),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum('readyReplicas'),
    availableReplicas: sum('availableReplicas'),
  };
  const former = (type: string): DeploymentCondition | undefined => before?.conditions?.find((condition) => condition.type === type);
  const condition = (
    type: string,
    status: 'True' | 'False' | 'Unknown',
    reason: string,
    message: string,
    isNews = false,
  ): DeploymentCondition => {
    const last = former(type);
    const time = now.toISOString();
    const same = last?.status === status && last.reason === reason && !isNews;
    return {
      type,
      status,
      reason,
      message,
      lastTransitionTime: last?.status === status ? last.lastTransitionTime : time,
      lastUpdateTime: same ? last.lastUpdateTime : time,
    } as DeploymentCondition;
  };

  const isEnough = counts.availableReplicas >= wanted - unavailableLimit(deployment);
  const available = isEnough
    ? condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.')
    : condition('Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.');

  const isComplete = counts.updatedReplicas === wanted && counts.replicas === wanted && counts.availableReplicas === wanted;
  const hasProgressed =
    before?.updatedReplicas !== undefined &&
    (counts.updatedReplicas > before.updatedReplicas ||
      counts.readyReplicas > (before.readyReplicas ?? 0) ||
      counts.availableReplicas > (before.availableReplicas ?? 0) ||
      counts.replicas - counts.updatedReplicas < (before.replicas ?? 0) - before.updatedReplicas ||
      before.observedGeneration !== deployment.metadata!.generation);
  const what = current ? `ReplicaSet "${current.metadata!.name}"` : `Deployment "${deployment.metadata!.name}"`;
  const last = former('Progressing');
  const deadlineMs = (spec!.progressDeadlineSeconds ?? defaultDeadlineSeconds) * 1000;
  const sinceMs = last ? now.getTime() - Date.parse(String((last as { lastUpdateTime?: string }).lastUpdateTime)) : 0;
  let progressing: DeploymentCondition;
  let deadlineInMs: number | undefined;
  if (spec!.paused) progressing = condition('Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused');
  else if (isComplete) progressing = condition('Progressing', 'True', 'NewReplicaSetAvailable', `${what} has successfully progressed.`);
  else if (
    !hasProgressed &&
    last &&
    last.reason !== 'NewReplicaSetAvailable' &&
    last.reason !== 'DeploymentPaused' &&
    sinceMs >= deadlineMs
  ) {
    progressing = condition('Progressing', 'False', 'ProgressDeadlineExceeded', `${what} has timed out progressing.`);
  } else if (last?.reason === 'ProgressDeadlineExceeded' && !hasProgressed) progressing = last;
  else {
    progressing = condition('Progressing', 'True', 'ReplicaSetUpdated', `${what} is progressing.`, hasProgressed);
    deadlineInMs = deadlineMs - (now.getTime() - Date.parse(String((progressing as { lastUpdateTime?: string }).lastUpdateTime)));
  }
  const status = {
    observedGeneration: deployment.metadata!.generation!,
    ...counts,
    unavailableReplicas: Math.max(0, Math.max(wanted, counts.replicas) - counts.availableReplicas),
    conditions: [available, progressing],
  };
  return { status, deadlineInMs: deadlineInMs === undefined ? undefined : Math.max(0, deadlineInMs) };
}
