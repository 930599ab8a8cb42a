import { createHash } from 'node:crypto';

/** The rules of one engine for the names of the apps' databases. Names are compared in lower case and need no quoting anywhere. */
export interface DatabaseNames {
  /** What the names are names of, with its article: `a database`. */
  what: string;
  /** Characters. */
  limit: number;
  /** Names that are the engine's own or the administrator's. */
  reserved: readonly string[];
}

const shape = /^[a-z][a-z0-9_]*$/;
/** Hex digits of a hash that keep two long names apart after they were cut. */
const hashLength = 8;

/** Why a name cannot be an app's database, as a sentence; `undefined` when it can. */
export function refusesDatabaseName(name: string, { what, limit, reserved }: DatabaseNames): string | undefined {
  if (name.length > limit) return `"${name}" has ${name.length} characters; ${what} can have at most ${limit}.`;
  if (!shape.test(name)) return `"${name}" cannot name ${what}: use lower-case letters, digits and "_", and start with a letter.`;
  return reserved.includes(name) ? `"${name}" belongs to the service itself and cannot be an app's; choose another name.` : undefined;
}

/**
 * A name that is allowed, made of the names of an app and its environment. No such name ends in "_", so an app that is called as
 * something of the engine's own gets a name that no other app gets.
 */
export function defaultDatabaseName(name: string, { limit, reserved }: DatabaseNames): string {
  if (reserved.includes(name)) return `${name}_`;
  if (name.length <= limit) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, hashLength);
  return `${name.slice(0, limit - hashLength - 1)}_${hash}`;
}
