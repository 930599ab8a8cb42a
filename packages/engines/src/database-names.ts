import { createHash } from 'node:crypto';

/** The rules of one engine for the names of the apps' databases. Names are compared in lower case and need no quoting anywhere. */
export interface DatabaseNames {
  /** What the names are names of, with its article: `a database`. */
  what: string;
  /** Characters. */
  limit: number;
  /** Where "_" counts twice, because the engine's grants take it for any character unless it is escaped. */
  escapes?: boolean;
  /** Names that are the engine's own or the administrator's. */
  reserved: readonly string[];
}

const shape = /^[a-z][a-z0-9_]*$/;
/** Hex digits of a hash that keep two long names apart after they were cut. */
const hashLength = 8;

/** Why a name cannot be an app's database, as a sentence; `undefined` when it can. */
export function refusesDatabaseName(name: string, names: DatabaseNames): string | undefined {
  const { what, limit, reserved, escapes } = names;
  const length = lengthOf(name, names);
  if (length > limit)
    return `"${name}" has ${length} characters${escapes ? ', with each "_" counted twice' : ''}; ${what} can have at most ${limit}.`;
  if (!shape.test(name)) return `"${name}" cannot name ${what}: use lower-case letters, digits and "_", and start with a letter.`;
  return reserved.includes(name) ? `"${name}" belongs to the service itself and cannot be an app's; choose another name.` : undefined;
}

/**
 * A name that is allowed, made of the names of an app and its environment. No such name ends in "_", so an app that is called as
 * something of the engine's own gets a name that no other app gets.
 */
export function defaultDatabaseName(name: string, names: DatabaseNames): string {
  const { limit, reserved } = names;
  if (reserved.includes(name)) return `${name}_`;
  if (lengthOf(name, names) <= limit) return name;
  const end = `_${createHash('sha256').update(name).digest('hex').slice(0, hashLength)}`;
  const room = limit - lengthOf(end, names);
  let kept = name.slice(0, room);
  while (lengthOf(kept, names) > room) kept = kept.slice(0, -1);
  return `${kept}${end}`;
}

function lengthOf(name: string, { escapes }: DatabaseNames): number {
  return escapes ? name.replaceAll('_', '__').length : name.length;
}
