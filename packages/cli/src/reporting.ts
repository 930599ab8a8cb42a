import { conditionTypes, findCondition, isPassing, type Reporting } from '@skipper/api';

/** How an object goes, in a word, and why it is not ready. */
export function stateOf({ metadata, status }: Reporting): {
  word: 'deleting' | 'running' | 'starting' | 'failing';
  isReady: boolean;
  message: string | undefined;
} {
  const ready = findCondition(status?.conditions, conditionTypes.ready);
  const isReady = ready?.status === 'True';
  const message = isReady ? undefined : ready?.message;
  if (metadata?.deletionTimestamp !== undefined) return { word: 'deleting', isReady, message };
  if (isReady) return { word: 'running', isReady, message };
  return { word: !ready || isPassing(ready.reason) ? 'starting' : 'failing', isReady, message };
}
