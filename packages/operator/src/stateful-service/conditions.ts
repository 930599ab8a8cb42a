import { conditionTypes } from '@skipper/api';
import type { Judgement } from '../conditions.ts';

/** `Ready` with the reason and message of what stands in the way: of the workload, when nothing else does. */
export function summarize(judgements: readonly Judgement[]): Judgement[] {
  const storage = judgements.find(({ type }) => type === conditionTypes.storageReady);
  const blocking = judgements.find(({ type, status }) => status !== 'True' && type !== conditionTypes.storageReady);
  const workload = judgements.find(({ type }) => type === conditionTypes.workloadReady);
  const decisive = blocking ?? workload ?? storage;
  if (!decisive) return [...judgements];
  // A volume that could not grow does not stop the service from serving: it is told, and changes nothing else.
  const hint = decisive.status === 'True' && storage?.status === 'False' ? ` ${storage.message}` : '';
  return [{ ...decisive, type: conditionTypes.ready, message: `${decisive.message}${hint}` }, ...judgements];
}
