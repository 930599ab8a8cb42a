import { type ApiObject, type KindDefinition, PatchError } from '../contracts.ts';
import { fieldSchema, resolve, schemaOf, type SchemaNode } from '../schema/definitions.ts';
import { clone, equal, isObject, own, put, type JsonObject } from './values.ts';

/**
 * Kubernetes' own patch format, which knows the merge keys of lists.
 * https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
 */
const directive = '$patch';
const retainKeys = '$retainKeys';
const deletePrefix = '$deleteFromPrimitiveList/';
const orderPrefix = '$setElementOrder/';

/** @throws PatchError */
export function strategicMergePatch(kind: KindDefinition, object: ApiObject, patch: unknown): ApiObject {
  if (!isObject(patch)) throw new PatchError(400, 'error decoding patch: a strategic merge patch is an object');
  return mergeMap(clone(object), clone(patch), resolve(schemaOf(kind))) as ApiObject;
}

const bad = (message: string) => new PatchError(400, message);

/** Both arguments are ours to change. */
function mergeMap(original: JsonObject, patch: JsonObject, schema: SchemaNode | undefined): JsonObject {
  const asked = own(patch, directive);
  if (asked !== undefined) {
    if (asked === 'replace') return withoutDirectives(patch);
    if (asked === 'delete') return {};
    if (asked !== 'merge') throw bad(`unknown patch type: ${String(asked)}`);
    delete patch[directive];
  }
  retainOnly(original, patch);
  for (const key of Object.keys(patch)) if (key.startsWith(orderPrefix)) mergeOrdered(original, patch, key, schema);
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (key.startsWith(deletePrefix)) {
      const field = key.slice(deletePrefix.length);
      const list = own(original, field);
      if (!Array.isArray(value)) throw bad(`invalid value of ${key}`);
      if (Array.isArray(list))
        put(
          original,
          field,
          list.filter((item) => !value.some((gone) => equal(gone, item))),
        );
      continue;
    }
    const before = own(original, key);
    if (value === null) delete original[key];
    else if (isObject(value) && isObject(before) && !hasStrategy(fieldSchema(schema, key), 'replace'))
      put(original, key, mergeMap(before, value, fieldSchema(schema, key)));
    else if (Array.isArray(value) && Array.isArray(before) && hasStrategy(fieldSchema(schema, key), 'merge'))
      put(original, key, mergeList(before, value, fieldSchema(schema, key)!, value));
    else if (isObject(value) && own(value, directive) === 'delete') put(original, key, {});
    else put(original, key, withoutDirectives(value));
  }
  return original;
}

function hasStrategy(schema: SchemaNode | undefined, strategy: string): boolean {
  return schema?.['x-kubernetes-patch-strategy']?.split(',').includes(strategy) ?? false;
}

/** What a patch adds where nothing was: its nulls and directives mean nothing there. */
function withoutDirectives(value: any): any {
  if (Array.isArray(value))
    return value.filter((item) => !(isObject(item) && (own(item, directive) === 'delete' || isReplaceMarker(item)))).map(withoutDirectives);
  if (!isObject(value)) return value;
  const out: JsonObject = {};
  for (const key of Object.keys(value)) {
    if (key === directive || key === retainKeys || key.startsWith(orderPrefix) || key.startsWith(deletePrefix) || value[key] === null)
      continue;
    put(out, key, withoutDirectives(value[key]));
  }
  return out;
}

function isReplaceMarker(item: JsonObject): boolean {
  return own(item, directive) === 'replace' && Object.keys(item).length === 1;
}

function retainOnly(original: JsonObject, patch: JsonObject): void {
  const keys = own(patch, retainKeys);
  if (keys === undefined) return;
  if (!Array.isArray(keys)) throw bad('invalid value of $retainKeys');
  delete patch[retainKeys];
  for (const key of Object.keys(patch)) {
    if (!key.startsWith('$') && !keys.includes(key)) throw bad(`invalid patch: ${key} is not in $retainKeys`);
  }
  for (const key of Object.keys(original)) if (!keys.includes(key)) delete original[key];
}

/** Merges the list that a `$setElementOrder/` directive names, and takes both out of the patch. */
function mergeOrdered(original: JsonObject, patch: JsonObject, key: string, parent: SchemaNode | undefined): void {
  const field = key.slice(orderPrefix.length);
  const order = patch[key];
  const schema = fieldSchema(parent, field);
  delete patch[key];
  if (!Array.isArray(order)) throw bad(`invalid value of ${key}`);
  const before = own(original, field);
  const change = own(patch, field);
  if (change === null) return;
  if (before === undefined && change === undefined) return;
  if ((before !== undefined && !Array.isArray(before)) || (change !== undefined && !Array.isArray(change)))
    throw bad(`${field} is not a list`);
  if (change !== undefined) requireOrder(change, order, schema);
  delete patch[field];
  const server: unknown[] = before ?? [];
  const merged =
    change === undefined ? server : before === undefined ? withoutDirectives(change) : mergeList(server, change, schema ?? {}, change);
  put(original, field, inOrder(merged, order, server, mergeKeyOf(schema)));
}

/** The list in a patch stands in the order that its directive gives, as far as it adds or changes. */
function requireOrder(list: unknown[], order: unknown[], schema: SchemaNode | undefined): void {
  const name = mergeKeyOf(schema);
  const identity = (item: unknown): unknown => (name !== undefined && isObject(item) ? own(item, name) : item);
  const kept = list.filter((item) => !(isObject(item) && own(item, directive) === 'delete') && !(isObject(item) && isReplaceMarker(item)));
  let at = 0;
  for (const item of kept) {
    while (at < order.length && !equal(identity(order[at]), identity(item))) at++;
    if (at++ >= order.length)
      throw bad(`The order in patch list:\n${JSON.stringify(kept)}\n doesn't match $setElementOrder list:\n${JSON.stringify(order)}\n`);
  }
}

function mergeKeyOf(schema: SchemaNode | undefined): string | undefined {
  return schema?.['x-kubernetes-patch-merge-key'];
}

function mergeList(original: unknown[], patch: unknown[], schema: SchemaNode, order: unknown[]): unknown[] {
  if (patch.length === 0) return original;
  const key = mergeKeyOf(schema);
  const itemSchema = resolve(schema.items);
  if (!patch.every(isObject)) {
    if (patch.some((item) => isObject(item) || Array.isArray(item)))
      throw bad('invalid types in a list: either all are objects or none is');
    const merged = [...original, ...patch].filter((item, index, all) => all.findIndex((other) => equal(item, other)) === index);
    return inOrder(merged, order, original, undefined);
  }
  if (key === undefined) throw bad('cannot merge lists without merge key');
  let merged = [...original];
  const items: JsonObject[] = [];
  let replace = false;
  for (const item of patch as JsonObject[]) {
    const asked = own(item, directive);
    if (asked === undefined) items.push(item);
    else if (asked === 'replace') {
      replace = true;
      if (!isReplaceMarker(item)) items.push(withoutDirectives(item));
    } else if (asked === 'delete') {
      const name = requireKey(item, key);
      merged = merged.filter((other) => !(isObject(other) && equal(own(other, key), name)));
    } else throw bad(`unknown patch type: ${String(asked)}`);
  }
  if (replace) return items.map(withoutDirectives);
  for (const item of items) {
    const name = requireKey(item, key);
    const index = merged.findIndex((other) => isObject(other) && equal(own(other, key), name));
    if (index < 0) merged.push(withoutDirectives(item));
    else merged[index] = mergeMap(merged[index] as JsonObject, item, itemSchema);
  }
  return inOrder(merged, items, original, key);
}

function requireKey(item: JsonObject, key: string): unknown {
  const value = own(item, key);
  if (value === undefined) throw bad(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
  return value;
}

/** The patch's items in the patch's order, between them the server's other items where the server had them. */
function inOrder(list: unknown[], patchOrder: unknown[], serverOrder: unknown[], key: string | undefined): unknown[] {
  const identity = (item: unknown) => (key !== undefined && isObject(item) ? own(item, key) : item);
  const place = (order: unknown[], item: unknown) => order.findIndex((other) => equal(identity(other), identity(item)));
  const byPlace = (order: unknown[]) => (a: unknown, b: unknown) => place(order, a) - place(order, b);
  const right = list.filter((item) => place(patchOrder, item) >= 0).toSorted(byPlace(patchOrder));
  const left = list.filter((item) => place(patchOrder, item) < 0).toSorted(byPlace(serverOrder));
  const out: unknown[] = [];
  while (left.length > 0 && right.length > 0) {
    const [l, r] = [place(serverOrder, left[0]), place(serverOrder, right[0])];
    out.push(l >= 0 && r >= 0 && l < r ? left.shift() : right.shift());
  }
  return [...out, ...left, ...right];
}
