import { isObject, own, put, type JsonObject } from './values.ts';

/**
 * A set of field paths, as managed fields keep it. Path elements are in the form of FieldsV1: `f:name`, `k:{"name":"x"}` (an item
 * of a list by its keys), `v:"x"` (an item of a set), `i:0`. https://github.com/kubernetes-sigs/structured-merge-diff
 */
export interface FieldSet {
  /** Whether the path that leads here is in the set itself. */
  member: boolean;
  children: Map<string, FieldSet>;
}

export const emptySet = (): FieldSet => ({ member: false, children: new Map() });

export function isEmpty(set: FieldSet): boolean {
  return !set.member && set.children.size === 0;
}

/** The subset below one path element, made when missing. */
export function descend(set: FieldSet, element: string): FieldSet {
  let child = set.children.get(element);
  if (!child) set.children.set(element, (child = emptySet()));
  return child;
}

function combine(
  a: FieldSet,
  b: FieldSet | undefined,
  keep: (inA: boolean, inB: boolean) => boolean,
  elements: Iterable<string>,
): FieldSet {
  const out: FieldSet = { member: keep(a.member, b?.member ?? false), children: new Map() };
  for (const element of elements) {
    const [left, right] = [a.children.get(element) ?? emptySet(), b?.children.get(element)];
    const child = combine(left, right, keep, new Set([...left.children.keys(), ...(right?.children.keys() ?? [])]));
    if (!isEmpty(child)) out.children.set(element, child);
  }
  return out;
}

const allElements = (a: FieldSet, b: FieldSet) => new Set([...a.children.keys(), ...b.children.keys()]);

export const union = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (inA, inB) => inA || inB, allElements(a, b));
export const intersection = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (inA, inB) => inA && inB, allElements(a, b));
export const difference = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (inA, inB) => inA && !inB, allElements(a, b));

export function sameSet(a: FieldSet, b: FieldSet): boolean {
  if (a.member !== b.member || a.children.size !== b.children.size) return false;
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (!other || !sameSet(child, other)) return false;
  }
  return true;
}

/** How deep managed fields may nest: far deeper than any object, far from the end of the stack. */
const depthLimit = 200;

/** @throws TypeError when `fields` is not in the form of FieldsV1. */
export function parseFields(fields: unknown, depth = 0): FieldSet {
  if (!isObject(fields) || depth > depthLimit) throw new TypeError('not a FieldsV1 object');
  const set = emptySet();
  const keys = Object.keys(fields);
  if (depth > 0) set.member = keys.length === 0;
  for (const key of keys) {
    if (key === '.') {
      set.member = true;
      continue;
    }
    if (!/^[fkvi]:/.test(key)) throw new TypeError(`unknown path element ${key}`);
    if (key.startsWith('k:')) {
      const parsed: unknown = JSON.parse(key.slice(2));
      if (!isObject(parsed)) throw new TypeError(`malformed key ${key}`);
      set.children.set(keyElement(parsed), parseFields(fields[key], depth + 1));
    } else set.children.set(key, parseFields(fields[key], depth + 1));
  }
  return set;
}

export function formatFields(set: FieldSet): JsonObject {
  const out: JsonObject = {};
  if (set.member && set.children.size > 0) out['.'] = {};
  for (const element of [...set.children.keys()].sort()) put(out, element, formatFields(set.children.get(element)!));
  return out;
}

/** The path element of a list's item: its keys in alphabetical order, in compact JSON. */
export function keyElement(keys: JsonObject): string {
  return `k:{${Object.keys(keys)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${JSON.stringify(own(keys, name))}`)
    .join(',')}}`;
}

/** The paths of a set as Kubernetes prints them, for example `.spec.containers[name="a"].image`: those of a level before deeper ones. */
export function formatPaths(set: FieldSet, prefix = ''): string[] {
  const children = [...set.children]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([element, child]) => ({ child, path: prefix + formatElement(element) }));
  return [
    ...children.filter(({ child }) => child.member).map(({ path }) => path),
    ...children.flatMap(({ child, path }) => formatPaths(child, path)),
  ];
}

function formatElement(element: string): string {
  const text = element.slice(2);
  if (element.startsWith('f:')) return `.${text}`;
  if (element.startsWith('v:')) return `[=${text}]`;
  if (element.startsWith('i:')) return `[${text}]`;
  const keys = JSON.parse(text) as JsonObject;
  return `[${Object.keys(keys)
    .map((name) => `${name}=${JSON.stringify(own(keys, name))}`)
    .join(',')}]`;
}
