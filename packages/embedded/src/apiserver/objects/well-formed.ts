import type { ApiObject, KindDefinition } from '../../contracts.ts';
import { badRequest } from './failures.ts';

/** Deeper than any object is, and far from where recursion ends. */
const deepest = 500;

/** @throws a 400 failure for a value that is nested too deeply to be walked. */
export function requireShallow(value: unknown): void {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > deepest) throw badRequest(`the body of the request is nested more than ${deepest} levels deep`);
    level = level.flatMap((item) => (item !== null && typeof item === 'object' ? Object.values(item) : []));
  }
}

/** @throws a 400 failure for a body that is no object. */
export function requireObject(body: unknown): asserts body is Record<string, any> {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) throw badRequest('the body of the request must be an object');
}

/**
 * What defaults, rules and hooks take for granted of every object: metadata of the right types, and in built-in kinds no list with
 * a hole in it. The rest is for the schema to say.
 * @throws a 400 failure
 */
export function requireWellFormed(kind: KindDefinition, object: ApiObject): void {
  const { labels, annotations, finalizers, ownerReferences, managedFields } = object.metadata as Record<string, unknown>;
  const refuse = (field: string, type: string): never => {
    throw badRequest(
      `${kind.type.kind} in version "${kind.type.version}" cannot be handled as a ${kind.type.kind}: metadata.${field} must be ${type}`,
    );
  };
  for (const [field, value] of Object.entries({ labels, annotations }))
    if (value != null && !isMap(value)) refuse(field, 'a map of strings');
  if (finalizers != null && !isListOf(finalizers, (item) => typeof item === 'string')) refuse('finalizers', 'a list of strings');
  for (const [field, value] of Object.entries({ ownerReferences, managedFields }))
    if (value != null && !isListOf(value, isMap)) refuse(field, 'a list of objects');
  const hole = kind.custom ? undefined : holeIn(object, '');
  if (hole)
    throw badRequest(
      `${kind.type.kind} in version "${kind.type.version}" cannot be handled as a ${kind.type.kind}: ${hole} must not be null`,
    );
}

function isMap(value: unknown): boolean {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function isListOf(value: unknown, fits: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(fits);
}

/** The path of a list's item that is null. */
function holeIn(value: unknown, path: string): string | undefined {
  if (value === null || typeof value !== 'object') return undefined;
  for (const [key, item] of Object.entries(value)) {
    const at = Array.isArray(value) ? `${path}[${key}]` : `${path}${path && '.'}${key}`;
    const hole = item === null && Array.isArray(value) ? at : holeIn(item, at);
    if (hole) return hole;
  }
  return undefined;
}
