import rawFields from './data/protobuf-fields.json' with { type: 'json' };

/**
 * A field's name, type (one letter for scalars), and form: `list`, `map`, `inline` (a struct whose fields stand in the outer
 * object) or `omit` (zero means the same as nothing).
 */
type FieldNumbers = Readonly<Record<string, readonly [name: string, type: string, form?: 'list' | 'map' | 'inline' | 'omit']>>;

/** What Kubernetes' Go types know and OpenAPI does not: numbers of fields, and which of them have no zero. By type and number. */
export const goTypes = rawFields as unknown as Readonly<Record<string, FieldNumbers>>;

const omitted = new Map<string, ReadonlySet<string>>();

/** The scalar fields of a type that are not stored when they are zero. */
export function fieldsWithoutZero(type: string): ReadonlySet<string> {
  let names = omitted.get(type);
  if (!names) omitted.set(type, (names = namesIn(type)));
  return names;
}

function namesIn(type: string): Set<string> {
  const names = new Set<string>();
  for (const [name, inner, form] of Object.values(goTypes[type] ?? {})) {
    if (form === 'omit') names.add(name);
    else if (form === 'inline') for (const inlined of namesIn(inner)) names.add(inlined);
  }
  return names;
}

export function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false;
}
