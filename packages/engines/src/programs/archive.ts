import { execFile } from 'node:child_process';
import { copyFile, readdir, readFile, readlink, realpath, statfs } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { KipError } from '@skipper/api';
import { download, fileChecksums, type Checksums, type DownloadOptions } from './download.ts';
import { shown } from './http-get.ts';
import { makeWholeFolder, type Waiting, type Work } from './whole-folder.ts';

const run = promisify(execFile);

/** Names the folder that archives are taken from instead of their makers' servers: an http or https address, a file address or a path. */
const baseVariable = 'KIP_DOWNLOADS';

/** Known beforehand, in hex; or what the maker publishes in a file beside the archive, by what its name adds. */
export type ArchiveChecksum = { algorithm: keyof Checksums } & ({ hex: string } | { beside: string });

/** Programs as their makers publish them for one platform: a tar archive with one folder in it. */
export interface MakerArchive {
  /** For example `MongoDB 8.0.15`. */
  title: string;
  /** Where the maker publishes it. The last part of the path is the file's name. */
  url: string;
  /** Nothing that has another one is unpacked. */
  checksum: ArchiveChecksum;
  /** How to have the program without the archive, as a sentence. */
  otherwise: string;
}

export interface ArchiveOptions extends Waiting, Pick<DownloadOptions, 'stallMs' | 'retryMs'> {
  /** Finishes the unpacked archive before it appears. */
  complete?(unpacked: string): Promise<void>;
}

/** More than any archive of an engine has, in bytes. */
const largest = 4 * 2 ** 30;
const largestChecksumFile = 4096;
/** In hex digits. */
const checksumLength = { sha256: 64, sha512: 128 };
/** With less than this a disk counts as full. */
const almostNothing = 1 << 20;

/**
 * Fetches a maker's archive, checks it and unpacks what is in its one folder as `folder`, which appears whole.
 * @throws KipError `engine-unavailable`, `disk-full`
 */
export function fetchArchive(archive: MakerArchive, folder: string, options: ArchiveOptions): Promise<void> {
  return makeWholeFolder(folder, options, async (work) => {
    try {
      const file = join(work.temporary, 'archive');
      const wanted = await wantedChecksum(archive, work, options);
      const actual = await obtain(archive, file, work, options);
      if (actual[archive.checksum.algorithm] !== wanted)
        throw new Error(`${source(archive).shown} is not the file that was published: its ${archive.checksum.algorithm} differs`);
      work.progress(`unpacking ${archive.title}`, 0.9);
      await unpack(file, work);
      await options.complete?.(work.unpacked);
      work.progress(`unpacked ${archive.title}`, 1);
    } catch (error) {
      if (work.signal.aborted || error instanceof KipError) throw error;
      throw await asKipError(archive, error as Error, work.temporary);
    }
  });
}

interface Source {
  url: URL;
  /** Holds no credentials. */
  shown: string;
}

function source(archive: Pick<MakerArchive, 'url'>): Source {
  const base = process.env[baseVariable];
  const published = new URL(archive.url);
  if (!base) return { url: published, shown: shown(published) };
  const address = isAbsolute(base) ? pathToFileURL(base).href : base;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !['http:', 'https:', 'file:'].includes(url.protocol))
    throw new KipError('engine-unavailable', `${baseVariable} is neither an http, https or file address nor an absolute path.`, {
      hint: `Set it to the folder that holds ${fileName(archive)}, or unset it.`,
    });
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${fileName(archive)}`;
  return { url, shown: url.protocol === 'file:' ? fileURLToPath(url) : shown(url) };
}

const fileName = ({ url }: Pick<MakerArchive, 'url'>): string => url.slice(url.lastIndexOf('/') + 1);

/** In the form of `sha256sum`: the checksum, and then perhaps the name. */
async function wantedChecksum(archive: MakerArchive, work: Work, options: ArchiveOptions): Promise<string> {
  const { checksum } = archive;
  if ('hex' in checksum) return checksum.hex.toLowerCase();
  const from = source({ url: `${archive.url}${checksum.beside}` });
  const file = join(work.temporary, 'checksum');
  if (from.url.protocol === 'file:') await copyFile(from.url, file);
  else await download(from.url, file, { ...options, progress: () => undefined, largest: largestChecksumFile, signal: work.signal });
  const hex = /^[0-9a-f]+(?=\s|$)/i.exec(await readFile(file, 'utf8'))?.[0];
  if (hex?.length !== checksumLength[checksum.algorithm]) throw new Error(`${from.shown} holds no ${checksum.algorithm} checksum`);
  return hex.toLowerCase();
}

async function obtain(archive: MakerArchive, file: string, work: Work, options: ArchiveOptions): Promise<Checksums> {
  const from = source(archive);
  work.progress(`downloading ${archive.title}`, 0);
  if (from.url.protocol === 'file:') {
    await copyFile(from.url, file);
    return fileChecksums(file, work.signal);
  }
  return download(from.url, file, {
    ...options,
    largest,
    signal: work.signal,
    progress: (received, total) => {
      const share = total ? received / total : undefined;
      const amount = total
        ? `${megabytes(received)} of ${megabytes(total)} MB (${Math.floor(share! * 100)} %)`
        : `${megabytes(received)} MB`;
      work.progress(`downloading ${archive.title}: ${amount}`, share === undefined ? undefined : share * 0.9);
    },
  });
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);

/** The shell's part is the umask: pods of other users have to read what root unpacks. */
async function unpack(file: string, { unpacked, signal }: Work): Promise<void> {
  const script = 'umask 022 && exec tar "$@"';
  const args = ['-xzf', file, '-C', unpacked, '--strip-components=1', '--no-same-owner', '--no-same-permissions'];
  try {
    await run('sh', ['-c', script, 'tar', ...args], { signal, env: { ...process.env, LC_ALL: 'C' } });
  } catch (error) {
    signal.throwIfAborted();
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(`it cannot be unpacked: ${stderr?.trim().split('\n')[0] || message}`, { cause: error });
  }
  await requireContained(unpacked, unpacked);
}

/** Links may lead to what came with them and nowhere else. `tar` itself refuses to write outside of its folder. */
async function requireContained(folder: string, root: string): Promise<void> {
  const realRoot = await realpath(root);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await requireContained(path, root);
    else if (entry.isSymbolicLink()) {
      const target = await readlink(path);
      // What a link means can differ from how it reads, when it passes through other links.
      const meant = await realpath(path).catch(() => realRoot);
      if (isAbsolute(target) || isOutside(resolve(folder, target), root) || isOutside(meant, realRoot))
        throw new Error(`its link ${relative(root, path)} leads out of its folder`);
    } else if (!entry.isFile()) throw new Error(`${relative(root, path)} in it is neither a file, a folder nor a link`);
  }
}

function isOutside(path: string, folder: string): boolean {
  return relative(folder, path).split(sep)[0] === '..';
}

async function asKipError(archive: MakerArchive, error: Error, folder: string): Promise<KipError> {
  const { code } = error as { code?: string };
  const { bavail, bsize } = await statfs(folder);
  if (code === 'ENOSPC' || code === 'EDQUOT' || bavail * bsize < almostNothing)
    return new KipError('disk-full', `There is no space left for ${archive.title} in ${dirname(folder)}.`, {
      hint: 'Free some space; the program is then fetched again.',
      cause: error,
    });
  return new KipError('engine-unavailable', `${archive.title} could not be fetched: ${error.message}.`, {
    hint: `${archive.otherwise} Or set ${baseVariable} to a mirror or folder that holds ${fileName(archive)}.`,
    cause: error,
  });
}
