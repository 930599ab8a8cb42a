import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasCode, KipError, type PrepareContext } from '@skipper/api';
import { makeWholeFolder, type Waiting } from './whole-folder.ts';

const run = promisify(execFile);

/** What a Debian package's programs need in their environment when it is unpacked at `folder` instead of `/`. */
export async function debianLibraryPath(folder: string): Promise<string> {
  const lib = join(folder, 'usr', 'lib');
  const triplets = (await readdir(lib, { withFileTypes: true }).catch(() => [])).filter(
    (entry) => entry.isDirectory() && entry.name.includes('-linux-'),
  );
  return [...triplets.map((entry) => join(lib, entry.name)), lib].join(':');
}

/**
 * Fetches a package of this machine's distribution and what it depends on and is not installed, from the distribution's own
 * sources with their signatures checked, and unpacks it all into `folder`, which appears whole. Needs no root and installs nothing.
 * @throws KipError `engine-unavailable`
 */
function fetchDebianPackage(name: string, folder: string, options: Waiting): Promise<void> {
  return makeWholeFolder(folder, options, async ({ unpacked, temporary, signal, progress }) => {
    try {
      progress(`looking for ${name} in the distribution's packages`, 0);
      const { packages, aptOptions } = await resolvePackages(name, temporary, signal);
      const downloads = join(temporary, 'downloads');
      await mkdir(downloads);
      progress(`downloading ${packages.join(', ')}`, 0.1);
      await apt([...aptOptions, 'download', ...packages], signal, downloads);
      progress(`unpacking ${packages.join(', ')}`, 0.8);
      for (const file of await readdir(downloads)) await run('dpkg-deb', ['-x', join(downloads, file), unpacked], { signal });
      progress(`unpacked ${name}`, 1);
    } catch (error) {
      if (signal.aborted || error instanceof KipError) throw error;
      const { stderr, message } = error as { stderr?: string; message: string };
      throw new KipError(
        'engine-unavailable',
        `The distribution's package "${name}" could not be fetched: ${stderr?.trim().split('\n').at(-1) || message}`,
        { cause: error },
      );
    }
  });
}

/**
 * Fetches the package that brings `program`, where this machine's distribution has it.
 * @param hint the other ways to get the program.
 * @throws KipError `engine-unavailable` that names the program
 */
export async function provideFromDebian(
  { program, name, hint }: { program: string; name: string; hint: string },
  folder: string,
  context: PrepareContext,
): Promise<void> {
  if (!existsSync('/usr/bin/apt-get'))
    throw new KipError(
      'engine-unavailable',
      `"${program}" is not on this machine, and it cannot be fetched: this is not a distribution with apt.`,
      { hint },
    );
  try {
    await fetchDebianPackage(name, folder, {
      signal: context.signal,
      progress: (message, fraction) => context.progress(message, fraction),
    });
  } catch (error) {
    if (!hasCode(error, 'engine-unavailable')) throw error;
    throw new KipError('engine-unavailable', `"${program}" is not on this machine. ${error.message}`, { hint, cause: error });
  }
}

/** With the machine's package lists, or with lists of our own where it has none: installing is not meant, so no root is needed. */
async function resolvePackages(
  name: string,
  temporary: string,
  signal: AbortSignal,
): Promise<{ packages: string[]; aptOptions: string[] }> {
  try {
    return { packages: await simulateInstall(name, [], signal), aptOptions: [] };
  } catch (error) {
    if (signal.aborted || (error as { code?: unknown }).code === 'ENOENT') throw error;
    const lists = join(temporary, 'lists');
    await mkdir(join(lists, 'partial'), { recursive: true });
    const aptOptions = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${join(temporary, 'cache')}`];
    await mkdir(join(temporary, 'cache', 'archives', 'partial'), { recursive: true });
    await apt([...aptOptions, 'update'], signal, temporary);
    return { packages: await simulateInstall(name, aptOptions, signal), aptOptions };
  }
}

async function simulateInstall(name: string, aptOptions: readonly string[], signal: AbortSignal): Promise<string[]> {
  const output = await apt([...aptOptions, '--simulate', '--no-install-recommends', 'install', name], signal, '/');
  const packages = output.split('\n').flatMap((line) => /^Inst (\S+)/.exec(line)?.[1] ?? []);
  return packages.includes(name) ? packages : [...packages, name];
}

async function apt(args: readonly string[], signal: AbortSignal, cwd: string): Promise<string> {
  // Apt as root would download as a user who may not write to our folder.
  const { stdout } = await run('apt-get', ['-q', '-o', 'APT::Sandbox::User=', ...args], {
    signal,
    cwd,
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    maxBuffer: 16 << 20,
  });
  return stdout;
}
