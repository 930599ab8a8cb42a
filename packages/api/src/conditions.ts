import type { KubeObject } from './resource.ts';

/** A condition as Kubernetes' API conventions have it. https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  /** CamelCase, for programs. */
  reason: string;
  /** A sentence that a person can act on. */
  message: string;
  /** RFC 3339. */
  lastTransitionTime: string;
  observedGeneration?: number;
}

/** An object that says of itself how it goes. */
export interface Reporting extends KubeObject {
  status?: { observedGeneration?: number; conditions?: Condition[] };
}

/** The condition types of a StatefulService. `Ready` sums up the others. */
export const conditionTypes = {
  ready: 'Ready',
  /** The Secret with the credentials exists and belongs to the volume. */
  credentialsReady: 'CredentialsReady',
  /** No object of somebody else's stands in the way. */
  nameFree: 'NameFree',
  /** The volume has the wanted size. */
  storageReady: 'StorageReady',
  /** The engine runs and answers. */
  workloadReady: 'WorkloadReady',
} as const;

/**
 * True, with the reason, where no waiting helps: somebody has to change the object or what stands in its way. Otherwise absent.
 * The name and meaning are those of https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
 */
export const stalledCondition = 'Stalled';

/** Reasons of what passes by itself in the normal course of things. */
const passing = new Set([
  'Creating',
  'Starting',
  'Restarting',
  'Updating',
  'Binding',
  'ServiceNotReady',
  'DatabaseNotFreeYet',
  'NameNotFreeYet',
]);

/** Whether a condition that is not True with this reason is no trouble: it only takes its time. */
export const isPassing = (reason: string): boolean => passing.has(reason);

/** The condition of this type, if there is one. */
export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/**
 * `next` with the transition times of `current` where the status did not change, so that an unchanged state is an equal object.
 * @param now RFC 3339; the transition time of conditions whose status changed.
 */
export function mergeConditions(
  current: readonly Condition[] | undefined,
  next: readonly Omit<Condition, 'lastTransitionTime'>[],
  now: string,
): Condition[] {
  return next.map((condition) => {
    const before = findCondition(current, condition.type);
    return { ...condition, lastTransitionTime: before?.status === condition.status ? before.lastTransitionTime : now };
  });
}

/** The condition types of an App. `Ready` sums up the others. */
export const appConditionTypes = {
  ready: 'Ready',
  /** No object of somebody else's stands in the way. */
  nameFree: 'NameFree',
  /** Every binding has its account and its variables. */
  bindingsReady: 'BindingsReady',
  /** All replicas run the newest template and are ready. */
  workloadReady: 'WorkloadReady',
} as const;
