import { createHash } from 'node:crypto';
import type { Pod, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') ?? false;
}

/** Ready for `seconds` at least. @returns ms until then when it is ready, but not yet for so long. */
export function isAvailable(pod: Pod, seconds = 0): true | false | number {
  if (!isReady(pod)) return false;
  if (seconds === 0) return true;
  const since = pod.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
  const left = Date.parse(String(since)) + seconds * 1000 - Date.now();
  return left <= 0 ? true : left;
}

export function isGoing({ metadata }: Pod): boolean {
  return metadata?.deletionTimestamp !== undefined;
}

export function isFinished({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

/** A short name for a pod template; the same for the same template. */
export function templateHash(template: PodTemplateSpec): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(template)))
    .digest('hex')
    .slice(0, 10);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
