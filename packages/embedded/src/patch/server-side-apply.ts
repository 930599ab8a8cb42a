import { type ApiObject, type ApplyConflict, ApplyConflictError, type ApplyRequest, PatchError } from '../contracts.ts';
import { schemaOf } from '../schema/definitions.ts';
import { difference, emptySet, formatPaths, intersection, isEmpty, parseFields, sameSet, union, type FieldSet } from './field-set.ts';
import {
  compareTracked,
  formatManagedFields,
  type Manager,
  parseManagedFields,
  blankObject,
  timestamp,
  trackedFields,
  withoutManagedFields,
} from './managed-fields.ts';
import { compare, fieldsOf, merge, removeFields, withNamedParents, withoutEmptied } from './typed.ts';
import { clone, isObject } from './values.ts';

const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';
/** Owns what was there before the first apply to an object that nobody tracked. */
const beforeFirstApply = 'before-first-apply';

/**
 * Server-side apply: https://kubernetes.io/docs/reference/using-api/server-side-apply/
 * @throws ApplyConflictError without `force`, PatchError when the configuration is malformed.
 */
export function serverSideApply(request: ApplyRequest): ApiObject {
  const { kind, live, manager, subresource, now } = request;
  const applied = configuration(request);
  const schema = schemaOf(kind);
  const before = live ? withoutManagedFields(live) : undefined;
  const managers = trackedManagers(request);
  const apiVersion = applied.apiVersion;
  const own = managers.find(({ operation, name, subresource: part }) => operation === 'Apply' && name === manager && part === subresource);
  const last = own?.fields;
  const fields = trackedFields(fieldsOf(applied, schema), kind, subresource);
  const self: Manager = { name: manager, operation: 'Apply', apiVersion, subresource, time: own?.time, fields };
  const others = managers.filter((other) => other !== own);

  const merged = merge(before, applied, schema) as ApiObject;
  const emptied = new WeakSet<object>();
  const pruned = last && !isEmpty(last) ? prune(merged, last, [self, ...others], request, emptied) : merged;

  const change = compareTracked(before ?? blankObject(kind), pruned, kind, subresource);
  const taken = union(change.added, change.modified);
  const conflicts = others
    .map((other) => ({ other, fields: intersection(other.fields, taken) }))
    .filter((conflict) => !isEmpty(conflict.fields));
  if (conflicts.length > 0 && !request.force) requireNoConflict(conflicts, request);
  for (const conflict of conflicts) conflict.other.fields = difference(conflict.other.fields, conflict.fields);
  for (const other of others) other.fields = difference(other.fields, change.removed);

  const same = isEmpty(taken) && isEmpty(change.removed) && last !== undefined && sameSet(last, fields);
  if (!same || self.time === undefined) self.time = timestamp(now);
  const managedFields = formatManagedFields([...others, self]);
  const next = withoutEmptied(pruned, emptied) as ApiObject;
  next.metadata = { ...next.metadata, managedFields };
  return next;
}

/** What the client sent, without what it cannot set here. */
function configuration({ kind, applied, subresource }: ApplyRequest): ApiObject {
  if (!isObject(applied) || !isObject(applied.metadata ?? {}))
    throw new PatchError(400, 'error decoding patch: the configuration is not an object');
  const metadata = applied.metadata ?? {};
  if (Array.isArray(metadata.managedFields) && metadata.managedFields.length > 0)
    throw new PatchError(400, 'metadata.managedFields must be nil');
  const out = clone(applied);
  // kubectl sends `creationTimestamp: null` in what it generates.
  const { managedFields: _none, creationTimestamp: _server, ...rest } = clone(metadata);
  out.metadata = rest;
  if (subresource === 'status') delete out.spec;
  else if (kind.status) delete out.status;
  return out;
}

function trackedManagers({ kind, live, subresource }: ApplyRequest): Manager[] {
  if (!live) return [];
  const managers = parseManagedFields(live.metadata.managedFields) ?? [];
  if (managers.length > 0) return managers;
  const { added, modified } = compareTracked(blankObject(kind), withoutManagedFields(live), kind, subresource);
  const fields = union(added, modified);
  return isEmpty(fields)
    ? []
    : [{ name: beforeFirstApply, operation: 'Update', apiVersion: live.apiVersion, subresource: '', time: undefined, fields }];
}

/**
 * Removes what this manager applied last time, does not apply now, and nobody else owns. What others own below a field that goes
 * stays, and so does what nobody owns, such as a default.
 */
function prune(
  merged: ApiObject,
  last: FieldSet,
  managers: readonly Manager[],
  { kind }: ApplyRequest,
  emptied: WeakSet<object>,
): ApiObject {
  const schema = schemaOf(kind);
  const named = (set: FieldSet) => withNamedParents(set, schema);
  const all = named(fieldsOf(merged, schema));
  const without = (set: FieldSet) => removeFields(merged, set, schema, emptied) as ApiObject;
  const gone = (object: ApiObject) => difference(all, named(fieldsOf(object, schema)));
  const managed = named(managers.map(({ fields }) => fields).reduce(union, emptySet()));
  const lastNamed = named(last);
  // What an object is called belongs to nobody and never goes.
  const metadata = lastNamed.children.get('f:metadata');
  if (metadata) metadata.member = false;
  const first = without(lastNamed);
  const second = without(difference(gone(first), managed));
  return without(intersection(gone(second), lastNamed));
}

function requireNoConflict(conflicts: { other: Manager; fields: FieldSet }[], { kind, live, manager }: ApplyRequest): void {
  // kubectl's own earlier client-side apply gives way to kubectl's server-side apply where nobody changed the value since.
  const allowed = manager === 'kubectl' && live ? lastClientSideApply(live, kind) : emptySet();
  const serious = conflicts
    .map(({ other, fields }) => ({ other, fields: difference(fields, allowed) }))
    .filter(({ fields }) => !isEmpty(fields));
  const list: ApplyConflict[] = serious.flatMap(({ other, fields }) =>
    formatPaths(fields).map((field) => ({ manager: describeManager(other), field })),
  );
  if (list.length > 0) throw new ApplyConflictError(list);
}

function lastClientSideApply(live: ApiObject, kind: ApplyRequest['kind']): FieldSet {
  try {
    const last: unknown = JSON.parse(live.metadata.annotations?.[lastAppliedAnnotation] ?? '');
    const schema = schemaOf(kind);
    const { modified, removed } = compare(last, live, schema);
    return difference(difference(fieldsOf(last, schema), modified), removed);
  } catch {
    return parseFields({});
  }
}

function describeManager({ name, operation, apiVersion, subresource }: Manager): string {
  const text = JSON.stringify(name) + (subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`);
  return operation === 'Update' ? `${text} using ${apiVersion}` : text;
}
