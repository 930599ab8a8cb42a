import type { ManagedFieldsEntry, ObjectMeta } from 'kubernetes-types/meta/v1.d.ts';
import type { ApiObject, KindDefinition, TrackRequest } from '../contracts.ts';
import { resolve, schemaOf, type SchemaNode } from '../schema/definitions.ts';
import { difference, emptySet, formatFields, isEmpty, parseFields, union, type FieldSet } from './field-set.ts';
import { compare, type Comparison } from './typed.ts';
import { clone, type JsonObject } from './values.ts';

/** What one manager owns. `time` is RFC 3339 in whole seconds. */
export interface Manager {
  name: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  subresource: string;
  time: string | undefined;
  fields: FieldSet;
}

/** More managers that only update are folded into one. */
const updateManagerLimit = 10;
const ancientManager = 'ancient-changes';

/** Fields that belong to the server and to no manager. */
const untracked = parseFields({
  'f:apiVersion': {},
  'f:kind': {},
  'f:metadata': {
    '.': {},
    'f:name': {},
    'f:namespace': {},
    'f:creationTimestamp': {},
    'f:selfLink': {},
    'f:uid': {},
    'f:clusterName': {},
    'f:generation': {},
    'f:managedFields': {},
    'f:resourceVersion': {},
  },
});

/** `undefined` when the entries are not well formed. */
export function parseManagedFields(entries: ObjectMeta['managedFields']): Manager[] | undefined {
  if (!Array.isArray(entries)) return undefined;
  try {
    return entries.map((entry) => {
      if (entry.operation !== 'Apply' && entry.operation !== 'Update') throw new TypeError('operation must be `Apply` or `Update`');
      return {
        name: String(entry.manager ?? ''),
        operation: entry.operation,
        apiVersion: String(entry.apiVersion ?? ''),
        subresource: String(entry.subresource ?? ''),
        time: typeof entry.time === 'string' ? entry.time : undefined,
        fields: parseFields(entry.fieldsV1 ?? {}),
      };
    });
  } catch {
    return undefined;
  }
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function formatManagedFields(managers: readonly Manager[]): ManagedFieldsEntry[] {
  return managers
    .filter(({ fields }) => !isEmpty(fields))
    .toSorted(
      (a, b) =>
        compareText(a.operation, b.operation) ||
        compareText(a.time ?? '', b.time ?? '') ||
        compareText(a.name, b.name) ||
        compareText(a.apiVersion, b.apiVersion) ||
        compareText(a.subresource, b.subresource),
    )
    .map(({ name, operation, apiVersion, subresource, time, fields }) => ({
      manager: name,
      operation,
      apiVersion,
      ...(time === undefined ? {} : { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: formatFields(fields),
      ...(subresource === '' ? {} : { subresource }),
    }));
}

/** Drops what belongs to no manager, and what a write to this subresource cannot set. */
export function trackedFields(set: FieldSet, kind: KindDefinition, subresource: string): FieldSet {
  const out = difference(set, untracked);
  if (subresource === 'status') out.children.delete('f:spec');
  else if (kind.status) out.children.delete('f:status');
  return out;
}

export function compareTracked(left: unknown, right: unknown, kind: KindDefinition, subresource: string): Comparison {
  const { added, modified, removed } = compare(left, right, schemaOf(kind));
  return {
    added: trackedFields(added, kind, subresource),
    modified: trackedFields(modified, kind, subresource),
    removed: trackedFields(removed, kind, subresource),
  };
}

/** An object without its managed fields, for comparing and merging. */
export function withoutManagedFields(object: ApiObject): ApiObject {
  const copy = clone(object);
  if (copy.metadata) delete copy.metadata.managedFields;
  return copy;
}

/**
 * What an object of the kind is before any field is set: in Go the structs that are no pointers are there already, so their
 * presence is nothing that a manager could own. They are the ones whose schema has the default `{}`. Required lists and maps are
 * there too, as nulls.
 */
export function blankObject(kind: KindDefinition): JsonObject {
  const schema = schemaOf(kind);
  return kind.custom ? {} : blankStruct(schema);
}

function blankStruct(schema: SchemaNode | undefined): JsonObject {
  const out: JsonObject = {};
  for (const [name, property] of Object.entries(schema?.properties ?? {})) {
    const value = property.default;
    if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) out[name] = blankStruct(resolve(property));
    else if (schema!.required?.includes(name) && (property.type === 'array' || property.type === 'object')) out[name] = null;
  }
  return out;
}

export const timestamp = (now: Date): string => `${now.toISOString().slice(0, 19)}Z`;

/** The managed fields of `next` after a create, update or non-apply patch. What was handed in is not changed. */
export function updateManagedFields({ kind, live, next, manager, subresource, now }: TrackRequest): ObjectMeta['managedFields'] {
  const given = next.metadata.managedFields;
  const isReset = Array.isArray(given) && given.length === 1 && Object.keys(given[0] ?? {}).length === 0;
  if (isReset) return undefined;
  const provided = subresource === '' ? parseManagedFields(given) : undefined;
  const managers = provided?.length ? provided : (parseManagedFields(live?.metadata.managedFields) ?? []);
  const change = compareTracked(live ? withoutManagedFields(live) : blankObject(kind), withoutManagedFields(next), kind, subresource);
  const taken = union(change.added, change.modified);
  for (const other of managers) other.fields = difference(difference(other.fields, taken), change.removed);
  if (!isEmpty(taken)) {
    const apiVersion = next.apiVersion;
    let self = managers.find(
      (entry) =>
        entry.operation === 'Update' && entry.name === manager && entry.subresource === subresource && entry.apiVersion === apiVersion,
    );
    if (!self) managers.push((self = { name: manager, operation: 'Update', apiVersion, subresource, time: undefined, fields: emptySet() }));
    self.fields = union(self.fields, taken);
    self.time = timestamp(now);
  }
  return formatManagedFields(capped(managers));
}

function capped(managers: Manager[]): Manager[] {
  const updates = managers.filter(({ operation, subresource, fields }) => operation === 'Update' && subresource === '' && !isEmpty(fields));
  if (updates.length <= updateManagerLimit) return managers;
  const oldest = updates.toSorted((a, b) => compareText(a.time ?? '', b.time ?? '')).slice(0, updates.length - updateManagerLimit + 1);
  const folded: Manager = { ...oldest.at(-1)!, name: ancientManager, fields: oldest.map(({ fields }) => fields).reduce(union) };
  return [...managers.filter((manager) => !oldest.includes(manager)), folded];
}
