import { KipError, type ResourceType } from '@skipper/api';

/** What the API server itself refuses in a path: it could name something else, or everything. */
function segment(what: string, value: string): string {
  if (value === '' || value === '.' || value === '..' || /[/%\0]/.test(value))
    throw new KipError('usage', `The ${what} ${JSON.stringify(value)} is not valid.`, {
      hint: 'A name is not empty and holds neither "/" nor "%".',
    });
  return encodeURIComponent(value);
}

/**
 * The path of a collection, or with `name` of one object.
 * @param namespace required for an object of a namespaced type; without it the collection covers all namespaces
 */
export function resourcePath(
  type: ResourceType,
  { namespace, name, subresource }: { namespace?: string; name?: string; subresource?: string },
): string {
  const root = type.group ? `/apis/${type.group}/${type.version}` : `/api/${type.version}`;
  const scope = type.namespaced && namespace !== undefined ? `/namespaces/${segment('namespace', namespace)}` : '';
  if (name === undefined) return `${root}${scope}/${type.plural}`;
  if (type.namespaced && namespace === undefined) throw new TypeError(`a ${type.kind} is in a namespace, and none was given for "${name}"`);
  return `${root}${scope}/${type.plural}/${segment('name', name)}${subresource ? `/${segment('subresource', subresource)}` : ''}`;
}

/** A query string with `?`, or nothing; values that are `undefined` or `false` are left out. */
export function query(values: Record<string, string | number | boolean | undefined>): string {
  const parts = Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== false && value !== '')
    .map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`);
  return parts.length > 0 ? `?${parts.join('&')}` : '';
}
