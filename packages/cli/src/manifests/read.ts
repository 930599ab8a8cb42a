import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { KipError, type KubeObject } from '@skipper/api';

/** A manifest as it was written; nothing about it has been checked. */
export interface Manifest {
  object: KubeObject & { spec?: unknown };
  /** Where it stands, for messages. */
  source: string;
}

const extensions = /\.(ya?ml|json)$/;

/**
 * The manifests of files, of folders' files (`.yaml`, `.yml`, `.json`) and of stdin (`-`), in order; lists are taken apart.
 * @throws KipError `usage`
 */
export async function readManifests(paths: readonly string[]): Promise<Manifest[]> {
  const found: Manifest[] = [];
  for (const path of paths) {
    if (path === '-') found.push(...(await parseManifests(await text(process.stdin), 'stdin')));
    else for (const file of await filesOf(path)) found.push(...(await parseManifests(await read(file), file)));
  }
  if (found.length === 0)
    throw new KipError('usage', `There are no manifests in ${paths.join(', ')}.`, { hint: '"kip export" prints those of what runs.' });
  return found;
}

async function filesOf(path: string): Promise<string[]> {
  const found = await stat(path).catch((error: unknown) => unreadable(path, error));
  if (!found.isDirectory()) return [path];
  const names = await readdir(path).catch((error: unknown) => unreadable(path, error));
  return names
    .filter((name) => extensions.test(name))
    .sort()
    .map((name) => join(path, name));
}

const read = (file: string): Promise<string> => readFile(file, 'utf8').catch((error: unknown) => unreadable(file, error));

function unreadable(path: string, error: unknown): never {
  throw new KipError('usage', `${path} cannot be read: ${(error as Error).message}`, { cause: error });
}

/** @throws KipError `usage` that says the line. */
export async function parseManifests(contents: string, source: string): Promise<Manifest[]> {
  const { parseAllDocuments } = await import('yaml');
  const documents = parseAllDocuments(contents);
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document, index) => {
    const [problem] = document.errors;
    if (problem) throw new KipError('usage', `${source} is not YAML: ${problem.message}`, { cause: problem });
    const where = documents.length > 1 ? `${source}, document ${index + 1}` : source;
    const value: unknown = toValue(document, where);
    if (value === null || value === undefined) return [];
    if (typeof value !== 'object' || Array.isArray(value)) throw new KipError('usage', `${where} is no manifest.`);
    const { kind, items } = value as { kind?: string; items?: unknown };
    if (kind !== 'List' || !Array.isArray(items)) return [{ object: value, source: where }];
    return items.map((item: unknown, position) => {
      const place = `${where}, item ${position + 1}`;
      if (typeof item !== 'object' || item === null || Array.isArray(item)) throw new KipError('usage', `${place} is no manifest.`);
      return { object: item, source: place };
    });
  });
}

function toValue(document: { toJS(): unknown }, where: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // Aliases that lead nowhere or grow without bounds.
    throw new KipError('usage', `${where} is not YAML that can be read: ${(error as Error).message}`, { cause: error });
  }
}
