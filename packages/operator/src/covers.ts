import { parseQuantity } from '@skipper/api';

/** The fields that make an item of a Kubernetes list the same item, in the order they are tried. */
const itemKeys = ['name', 'containerPort', 'port', 'mountPath', 'type', 'uid'] as const;

/**
 * Whether `live` has every field of `wanted` with its value. What else it has, defaults and the fields of others, does not matter.
 * Quantities are compared by value, for the API server writes them its own way; and it leaves out empty texts, lists and maps.
 */
export function covers(live: unknown, wanted: unknown): boolean {
  if (wanted === undefined || wanted === live) return true;
  if (live === undefined) return isEmpty(wanted);
  if (Array.isArray(wanted)) return Array.isArray(live) && coversList(live, wanted);
  if (isRecord(wanted)) return isRecord(live) && Object.entries(wanted).every(([key, value]) => covers(live[key], value));
  return (typeof wanted === 'string' || typeof wanted === 'number') && typeof live === 'string' && sameQuantity(live, String(wanted));
}

function coversList(live: unknown[], wanted: unknown[]): boolean {
  const items = wanted.filter(isRecord);
  const key =
    items.length > 0 && items.length === wanted.length ? itemKeys.find((candidate) => items.every((item) => candidate in item)) : undefined;
  if (key === undefined) return live.length === wanted.length && wanted.every((item, index) => covers(live[index], item));
  return items.every((item) => live.some((candidate) => isRecord(candidate) && candidate[key] === item[key] && covers(candidate, item)));
}

/** What an API server does not keep. A number or a switch that it does not have is another one. */
function isEmpty(value: unknown): boolean {
  return value === '' || (Array.isArray(value) ? value.length === 0 : isRecord(value) && Object.keys(value).length === 0);
}

function sameQuantity(left: string, right: string): boolean {
  const value = parseQuantity(left);
  return value !== undefined && value === parseQuantity(right);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
