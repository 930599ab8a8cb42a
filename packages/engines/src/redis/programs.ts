import { join } from 'node:path';
import type { PrepareContext } from '@skipper/api';
import { debianLibraryPath, provideFromDebian } from '../programs/debian-package.ts';
import { findPrograms } from '../programs/find-program.ts';

const program = 'redis-server';

export interface RedisPrograms {
  /** The folder with redis-server, and with redis-cli as a rule. */
  folder: string;
  env: Record<string, string>;
}

/** Redis on this machine; `undefined` when there is none yet. */
export async function findRedis(enginesDir: string): Promise<RedisPrograms | undefined> {
  const installed = await findPrograms([program], ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']);
  if (installed) return { folder: installed, env: {} };
  const root = fetchedFolder(enginesDir);
  const fetched = await findPrograms([program], [join(root, 'usr', 'bin')], '');
  return fetched ? { folder: fetched, env: { LD_LIBRARY_PATH: await debianLibraryPath(root) } } : undefined;
}

/** Makes sure that {@link findRedis} finds. @throws KipError `engine-unavailable` */
export async function provideRedis(context: PrepareContext): Promise<void> {
  if (await findRedis(context.enginesDir)) return;
  const hint = `Install Redis so that "${program}" is on PATH, for example with "apt-get install redis-server" or "brew install redis".`;
  await provideFromDebian({ program, name: program, hint }, fetchedFolder(context.enginesDir), context);
}

const fetchedFolder = (enginesDir: string): string => join(enginesDir, 'redis-debian');
