import { stalledCondition, type Condition } from '@skipper/api';

/** A judgement of one pass; the time of its last change is filled in when the status is written. */
export type Judgement = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

export const isTrue = (type: string, reason: string, message: string): Judgement => ({ type, status: 'True', reason, message });
export const isFalse = (type: string, reason: string, message: string): Judgement => ({ type, status: 'False', reason, message });

/** Reasons that no waiting ends: what is wished for, or what stands in its way, has to be changed. */
const stalling = new Set([
  'UnsupportedType',
  'InvalidSpec',
  'Rejected',
  'NameTaken',
  'VersionRefused',
  'ImageRefused',
  'DataWithoutCredentials',
  'OtherType',
  'Incomplete',
  'Unsupported',
  'DatabaseRefused',
  'DatabaseTaken',
  'VariablesCollide',
]);

/** Whether what this reason says waits for a person. */
export const isStalling = (reason: string): boolean => stalling.has(reason);

/** With `Stalled` where what sums them up, which is the first, waits for a person. */
export function withStalled(judgements: readonly Judgement[]): Judgement[] {
  const [ready] = judgements;
  if (ready?.status !== 'False' || !isStalling(ready.reason)) return [...judgements];
  return [...judgements, isTrue(stalledCondition, ready.reason, ready.message)];
}

/** As Kubernetes writes times: with seconds and no less. */
export function timeText(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}
