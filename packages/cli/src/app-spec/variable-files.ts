import { readFile } from 'node:fs/promises';
import { KipError } from '@skipper/api';
import type { EnvVar } from 'kubernetes-types/core/v1.d.ts';
import { parseVariables } from './variables.ts';

/** The variables of these files, in order. @throws KipError `usage` */
export async function readVariableFiles(files: readonly string[] = []): Promise<EnvVar[]> {
  const found: EnvVar[] = [];
  for (const file of files) {
    const contents = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new KipError('usage', `--env-file ${file} cannot be read: ${error.message}`, { cause: error });
    });
    found.push(...parseVariables(contents, file));
  }
  return found;
}
