import type { JSONSchemaProps } from 'kubernetes-types/apiextensions/v1.d.ts';

/** Paths of fields that a schema does not know, with the one that may be meant. The API server drops them without a word. */
export function unknownFields(value: unknown, schema: JSONSchemaProps, path = ''): string[] {
  if (Array.isArray(value))
    return value.flatMap((item, index) => unknownFields(item, (schema.items as JSONSchemaProps | undefined) ?? {}, `${path}[${index}]`));
  if (typeof value !== 'object' || value === null || !schema.properties) return [];
  const known = schema.properties;
  return Object.entries(value).flatMap(([key, inner]) => {
    const here = path === '' ? key : `${path}.${key}`;
    if (known[key]) return unknownFields(inner, known[key], here);
    const meant = Object.keys(known).find((name) => isNear(name, key));
    return [`${here} is no field that is known${meant ? `; is "${meant}" meant?` : '.'}`];
  });
}

/** Whether two names are the same but for case, one letter or two that changed places. */
function isNear(a: string, b: string): boolean {
  const [x, y] = [a.toLowerCase(), b.toLowerCase()];
  if (x === y) return true;
  if (Math.abs(x.length - y.length) > 1) return false;
  let start = 0;
  while (start < x.length && x[start] === y[start]) start += 1;
  let end = 0;
  while (end < Math.min(x.length, y.length) - start && x[x.length - 1 - end] === y[y.length - 1 - end]) end += 1;
  return Math.max(x.length, y.length) - start - end <= (x.length === y.length ? 2 : 1);
}
