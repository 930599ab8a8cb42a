import { isDeepStrictEqual } from 'node:util';

/** Whether a status has every field of `next` already, so that it need not be written. */
export function sameStatus(status: object | undefined, next: object): boolean {
  const before = (status ?? {}) as Record<string, unknown>;
  return Object.entries(JSON.parse(JSON.stringify(next)) as object).every(([name, value]) => isDeepStrictEqual(before[name], value));
}
