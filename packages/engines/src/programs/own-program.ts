import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, copyFile, cp, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KipError } from '@skipper/api';
import type { ProcessHost } from '../engine.ts';
import { makeWholeFolder } from './whole-folder.ts';

/** Of other users, all that a program and its folders need. */
const othersMayRun = 0o001;

/**
 * A program that comes with Skipper, where the pods' users can read it: a copy among the engines, because Skipper may lie in a
 * folder of root's. @returns the file that Node runs.
 */
export async function provideOwnProgram(
  name: string,
  host: ProcessHost,
  { enginesDir, signal }: { enginesDir: string; signal: AbortSignal },
): Promise<string> {
  const source = host.ownProgram(name);
  const main = await readFile(join(source, 'main.cjs')).catch((error: unknown) => {
    throw new KipError('engine-unavailable', `Skipper's own program "${name}" is not at ${source}.`, {
      hint: 'Install or build Skipper again.',
      cause: error,
    });
  });
  const folder = join(enginesDir, `${name}-${createHash('sha256').update(main).digest('hex').slice(0, 16)}`);
  if (!(await exists(folder)))
    await makeWholeFolder(folder, { signal, progress: () => undefined }, async ({ unpacked }) => {
      await cp(source, unpacked, { recursive: true });
      await openToAll(unpacked);
    });
  return join(folder, 'main.cjs');
}

/** Node, where the pods' users can run it: a copy when it lies in a folder of root's. */
export async function provideNode({ enginesDir, signal }: { enginesDir: string; signal: AbortSignal }): Promise<string> {
  const node = process.execPath;
  if (process.getuid?.() !== 0 || (await othersCanRun(node))) return node;
  const folder = join(enginesDir, `nodejs-${process.version}`);
  if (!(await exists(folder)))
    await makeWholeFolder(folder, { signal, progress: () => undefined }, async ({ unpacked }) => {
      const copy = join(unpacked, 'node');
      await copyFile(node, copy, constants.COPYFILE_FICLONE);
      await chmod(copy, 0o755);
    });
  return join(folder, 'node');
}

async function othersCanRun(path: string): Promise<boolean> {
  if (((await stat(path)).mode & othersMayRun) === 0) return false;
  const parent = dirname(path);
  return parent === path || othersCanRun(parent);
}

async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else await chmod(path, 0o644);
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
