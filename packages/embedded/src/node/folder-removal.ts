import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../contracts.ts';

/** Removes what a pod has left. Never throws: nothing else shall wait for a folder that cannot be removed. */
export async function removeFolder(folder: string, log: Log): Promise<void> {
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await remove().catch(async () => {
      await makeWritable(folder);
      await remove();
    });
  } catch (error) {
    log(`the folder ${folder} could not be removed: ${(error as Error).message}`);
  }
}

/** A program may have closed its folders to its own user, which only root can pass over. Links are not followed. */
async function makeWritable(folder: string): Promise<void> {
  if (process.geteuid?.() === 0) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) if (entry.isDirectory()) await makeWritable(join(folder, entry.name));
}
