import type { Condition } from '@skipper/api';

/** A judgement of one pass; the time of its last change is filled in when the status is written. */
export type Judgement = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

export const isTrue = (type: string, reason: string, message: string): Judgement => ({ type, status: 'True', reason, message });
export const isFalse = (type: string, reason: string, message: string): Judgement => ({ type, status: 'False', reason, message });

/** As Kubernetes writes times: with seconds and no less. */
export function timeText(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}
