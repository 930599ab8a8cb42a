import { PatchError } from '../contracts.ts';
import { fieldSchema, isNamedField, resolve, type SchemaNode } from '../schema/definitions.ts';
import { descend, emptySet, keyElement, type FieldSet } from './field-set.ts';
import { clone, equal, isObject, own, put, type JsonObject } from './values.ts';

/**
 * The walks over typed values that server-side apply is made of: which fields a value has, how two differ, their merge, and
 * the removal of a set of fields. They follow sigs.k8s.io/structured-merge-diff/typed.
 */
type ListKind = { relation: 'atomic' } | { relation: 'set' } | { relation: 'map'; keys: string[] };

function listKind(schema: SchemaNode | undefined): ListKind {
  const type = schema?.['x-kubernetes-list-type'];
  const mergeKey = schema?.['x-kubernetes-patch-merge-key'];
  if (type === 'map') return { relation: 'map', keys: schema!['x-kubernetes-list-map-keys'] ?? [] };
  if (type !== undefined) return { relation: type };
  if (!schema?.['x-kubernetes-patch-strategy']?.split(',').includes('merge')) return { relation: 'atomic' };
  return mergeKey === undefined ? { relation: 'set' } : { relation: 'map', keys: [mergeKey] };
}

function isAtomicMap(schema: SchemaNode | undefined): boolean {
  return schema?.['x-kubernetes-map-type'] === 'atomic';
}

/** The path elements of a list's items, in order. @throws PatchError when an item lacks its keys. */
function elementsOf(list: unknown[], kind: ListKind, schema: SchemaNode | undefined): string[] {
  const itemSchema = resolve(schema?.items);
  return list.map((item, index) => {
    if (kind.relation === 'set') return `v:${JSON.stringify(item)}`;
    if (kind.relation !== 'map') return `i:${index}`;
    if (!isObject(item)) throw new PatchError(400, 'associative list with keys may not have non-map elements');
    const keys: JsonObject = {};
    for (const key of kind.keys) {
      const value = own(item, key) ?? own(itemSchema?.properties, key)?.default;
      if (value !== undefined && value !== null) put(keys, key, value);
    }
    if (Object.keys(keys).length === 0)
      throw new PatchError(
        400,
        `associative list with keys has an element that omits key field ${JSON.stringify(kind.keys[0] ?? '')} (and doesn't have default value)`,
      );
    return keyElement(keys);
  });
}

const hasItems = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : isObject(value) && Object.keys(value).length > 0);
/** Nothing, and null, take the form of what they are compared with. */
const isList = (value: unknown, other: unknown): boolean => Array.isArray(value) || ((value ?? null) === null && Array.isArray(other));
const isMap = (value: unknown, other: unknown): boolean => isObject(value) || ((value ?? null) === null && isObject(other));

/** The fields that `value` sets. */
export function fieldsOf(value: unknown, schema: SchemaNode | undefined, set: FieldSet = emptySet()): FieldSet {
  if (Array.isArray(value)) {
    const kind = listKind(schema);
    if (kind.relation === 'atomic') set.member = true;
    else {
      const elements = elementsOf(value, kind, schema);
      value.forEach((item, index) => {
        const child = descend(set, elements[index]!);
        child.member = true;
        if (kind.relation === 'map') fieldsOf(item, resolve(schema?.items), child);
      });
    }
  } else if (isObject(value)) {
    if (isAtomicMap(schema)) set.member = true;
    else {
      for (const key of Object.keys(value)) {
        const child = descend(set, `f:${key}`);
        const item = value[key];
        fieldsOf(item, fieldSchema(schema, key), child);
        if (item === null || (isObject(item) && Object.keys(item).length === 0) || !isNamedField(schema, key)) child.member = true;
      }
    }
  } else set.member = true;
  return set;
}

export interface Comparison {
  added: FieldSet;
  modified: FieldSet;
  removed: FieldSet;
}

/** How `right` differs from `left`; `undefined` stands for nothing. */
export function compare(left: unknown, right: unknown, schema: SchemaNode | undefined): Comparison {
  const result: Comparison = { added: emptySet(), modified: emptySet(), removed: emptySet() };
  compareAt(left, right, schema, [], result);
  return result;
}

function mark(set: FieldSet, path: string[]): void {
  let at = set;
  for (const element of path) at = descend(at, element);
  at.member = true;
}

function compareAt(left: unknown, right: unknown, schema: SchemaNode | undefined, path: string[], result: Comparison): void {
  if (left === undefined && right === undefined) return;
  const leaf = (): void => {
    if (left === undefined) mark(result.added, path);
    else if (right === undefined) mark(result.removed, path);
    else if (!equal(left, right)) mark(result.modified, path);
  };
  // An empty value that appears, or is emptied of nothing, counts as a whole.
  if (!hasItems(left) && !hasItems(right)) return leaf();
  const wrap = (): void => {
    if (left === undefined) mark(result.added, path);
    else if (right === undefined) mark(result.removed, path);
  };
  if (isList(left, right) && isList(right, left)) {
    const kind = listKind(schema);
    if (kind.relation === 'atomic') return leaf();
    const [lefts, rights] = [itemsByElement(left, kind, schema), itemsByElement(right, kind, schema)];
    for (const element of new Set([...lefts.keys(), ...rights.keys()])) {
      const [l = [], r = []] = [lefts.get(element), rights.get(element)];
      if (l.length < 2 && r.length < 2)
        compareAt(l[0], r[0], kind.relation === 'map' ? resolve(schema?.items) : undefined, [...path, element], result);
      else if (!equal(l, r)) mark(l.length === 0 ? result.added : r.length === 0 ? result.removed : result.modified, [...path, element]);
    }
    return wrap();
  }
  if (isMap(left, right) && isMap(right, left)) {
    if (isAtomicMap(schema)) return leaf();
    const [l, r] = [isObject(left) ? left : undefined, isObject(right) ? right : undefined];
    for (const key of new Set([...Object.keys(l ?? {}), ...Object.keys(r ?? {})]))
      compareAt(own(l, key), own(r, key), fieldSchema(schema, key), [...path, `f:${key}`], result);
    return wrap();
  }
  leaf();
}

function itemsByElement(list: unknown, kind: ListKind, schema: SchemaNode | undefined): Map<string, unknown[]> {
  const items = new Map<string, unknown[]>();
  if (!Array.isArray(list)) return items;
  elementsOf(list, kind, schema).forEach((element, index) => {
    const same = items.get(element);
    if (same) same.push(list[index]);
    else items.set(element, [list[index]]);
  });
  return items;
}

/** `live` with what `applied` sets; lists by their kind, a null removing a field. */
export function merge(live: unknown, applied: unknown, schema: SchemaNode | undefined): unknown {
  if (applied === undefined) return clone(live);
  if (isObject(applied) && (isObject(live) || live === undefined || live === null)) {
    if (isAtomicMap(schema)) return clone(applied);
    const out: JsonObject = isObject(live) ? clone(live) : {};
    for (const key of Object.keys(applied)) {
      if (applied[key] === null) delete out[key];
      else put(out, key, merge(own(out, key), applied[key], fieldSchema(schema, key)));
    }
    return out;
  }
  if (Array.isArray(applied)) {
    const kind = listKind(schema);
    if (kind.relation === 'atomic') return clone(applied);
    const rights = elementsOf(applied, kind, schema);
    const twice = rights.find((element, index) => rights.indexOf(element) !== index);
    if (twice !== undefined) throw new PatchError(400, `duplicate entries for key [${twice.slice(2)}]`);
    return mergeLists(Array.isArray(live) ? live : [], applied, kind, schema, rights);
  }
  return clone(applied);
}

/** The applied items in their order, the live ones between them where they were. */
function mergeLists(live: unknown[], applied: unknown[], kind: ListKind, schema: SchemaNode | undefined, rights: string[]): unknown[] {
  const lefts = elementsOf(live, kind, schema);
  const leftIndex = new Map(lefts.map((element, index) => [element, index]));
  const rightIndex = new Map(rights.map((element, index) => [element, index]));
  const shared = rights.filter((element) => leftIndex.has(element));
  const merged = new Set<string>();
  const out: unknown[] = [];
  const itemSchema = kind.relation === 'map' ? resolve(schema?.items) : undefined;
  let nextShared = shared.shift();
  const take = (element: string): void => {
    merged.add(element);
    const at = leftIndex.get(element);
    out.push(merge(at === undefined ? undefined : live[at], applied[rightIndex.get(element)!], itemSchema));
  };
  for (let l = 0, r = 0; l < lefts.length || r < rights.length;) {
    const left = lefts[l];
    const right = rights[r];
    if (left !== undefined && left === right) {
      take(left);
      l++;
      r++;
      nextShared = shared.shift();
      continue;
    }
    if (left !== undefined && right !== undefined && rightIndex.has(left) && nextShared !== undefined && nextShared !== left) {
      l++;
      continue;
    }
    if (left !== undefined) {
      if (!rightIndex.has(left)) {
        out.push(clone(live[l]));
        l++;
        continue;
      }
      if (merged.has(left)) l++;
    }
    if (right !== undefined) {
      take(right);
      r++;
      if (nextShared === right) nextShared = shared.shift();
    }
  }
  return out;
}

/**
 * `value` without the fields in `set`. A list or map that loses everything stays, empty, and is put into `emptied`: whoever owns it
 * has not lost it yet.
 */
export function removeFields(
  value: unknown,
  set: FieldSet,
  schema: SchemaNode | undefined,
  emptied: WeakSet<object> = new WeakSet(),
): unknown {
  if (!hasItems(value)) return value;
  if (Array.isArray(value)) {
    const kind = listKind(schema);
    if (kind.relation === 'atomic') return value;
    const out: unknown[] = [];
    elementsOf(value, kind, schema).forEach((element, index) => {
      const subset = set.children.get(element);
      if (subset?.member) return;
      out.push(subset ? removeFields(value[index], subset, resolve(schema?.items), emptied) : value[index]);
    });
    if (out.length === 0) emptied.add(out);
    return out;
  }
  if (!isObject(value) || isAtomicMap(schema)) return value;
  const out: JsonObject = {};
  for (const key of Object.keys(value)) {
    const subset = set.children.get(`f:${key}`);
    if (subset?.member) continue;
    put(out, key, subset ? removeFields(value[key], subset, fieldSchema(schema, key), emptied) : value[key]);
  }
  if (Object.keys(out).length === 0) emptied.add(out);
  return out;
}

/** A copy without the lists and maps in `emptied`. */
export function withoutEmptied(value: unknown, emptied: WeakSet<object>): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutEmptied(item, emptied));
  if (!isObject(value)) return value;
  const out: JsonObject = {};
  for (const key of Object.keys(value)) {
    const item: unknown = value[key];
    if (typeof item === 'object' && item !== null && emptied.has(item)) continue;
    put(out, key, withoutEmptied(item, emptied));
  }
  return out;
}

/** The set, and every named field (not a key of a map) that has a member below it. */
export function withNamedParents(set: FieldSet, schema: SchemaNode | undefined): FieldSet {
  const out: FieldSet = { member: set.member, children: new Map() };
  for (const [element, child] of set.children) {
    const name = element.startsWith('f:') ? element.slice(2) : undefined;
    const below = withNamedParents(child, name === undefined ? resolve(schema?.items) : fieldSchema(schema, name));
    if (name !== undefined && child.children.size > 0 && isNamedField(schema, name)) below.member = true;
    out.children.set(element, below);
  }
  return out;
}
