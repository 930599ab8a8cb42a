import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** The first folder among `folders` and those of PATH that holds all `programs` as executables. */
export async function findPrograms(
  programs: readonly string[],
  folders: readonly string[],
  path = process.env['PATH'] ?? '',
): Promise<string | undefined> {
  for (const folder of [...folders, ...path.split(delimiter).filter(Boolean)]) {
    if (await holds(folder, programs)) return folder;
  }
  return undefined;
}

async function holds(folder: string, programs: readonly string[]): Promise<boolean> {
  try {
    await Promise.all(programs.map((program) => access(join(folder, program), constants.X_OK)));
    return true;
  } catch {
    return false;
  }
}
