import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KipError, type PrepareContext } from '@skipper/api';
import { fetchArchive, type MakerArchive } from '../programs/archive.ts';
import { findPrograms } from '../programs/find-program.ts';
import { refusesProcessor } from './processor.ts';

const run = promisify(execFile);
const program = 'mongod';
/** What is fetched where there is no mongod. */
const fetchedSeries = '8.0';
const fetchedVersion = '8.0.32';
const otherwise = `Install MongoDB so that "${program}" is on PATH (https://www.mongodb.com/docs/manual/installation/).`;

/**
 * Name and SHA-256 of the maker's archive, by platform. The builds for Ubuntu 22.04 run wherever there is glibc 2.35, OpenSSL 3 and
 * libcurl 4, Debian 12 among them. https://www.mongodb.com/try/download/community
 */
const archives: Record<string, { path: string; sha256: string }> = {
  'linux-x64': {
    path: 'linux/mongodb-linux-x86_64-ubuntu2204',
    sha256: '41da8d92dde2896ebda278cf296ae86462da6b39eda81ce6ce4fb9ce819adb2e',
  },
  'linux-arm64': {
    path: 'linux/mongodb-linux-aarch64-ubuntu2204',
    sha256: '7411bc9efef53346a26e67241ca9db9926c30b7a056e2515068223b497682c81',
  },
  'darwin-arm64': { path: 'osx/mongodb-macos-arm64', sha256: 'f81cb258434d548dca7244d599c82eb339043d8dedd0b1b807870c9d263117f2' },
  'darwin-x64': { path: 'osx/mongodb-macos-x86_64', sha256: '4073d96f1a83ecae289997cb1f9ace5258a740fdb9b8b06ee00098ec342d1bce' },
};

/** The maker's archive for a platform such as `linux-x64`; `undefined` where there is none. */
export function archiveFor(platform: string): MakerArchive | undefined {
  const found = archives[platform];
  return (
    found && {
      title: `MongoDB ${fetchedVersion}`,
      url: `https://fastdl.mongodb.org/${found.path}-${fetchedVersion}.tgz`,
      checksum: { algorithm: 'sha256', hex: found.sha256 },
      otherwise,
    }
  );
}

/** The folder that holds mongod on this machine; `undefined` when there is none yet. */
export function findMongod(enginesDir: string): Promise<string | undefined> {
  return findPrograms([program], [join(fetchedFolder(enginesDir), 'bin')]);
}

/** Makes sure that {@link findMongod} finds. @throws KipError `engine-unavailable` */
export async function provideMongod(
  version: string,
  context: PrepareContext,
  archiveOf: (platform: string) => MakerArchive | undefined = archiveFor,
): Promise<void> {
  const lack = refusesProcessor(await readFile('/proc/cpuinfo', 'utf8').catch(() => ''), process.arch);
  if (lack) throw new KipError('engine-unavailable', lack, { hint: 'Use another machine, or a cluster with such nodes.' });
  if (await findMongod(context.enginesDir)) return;
  const archive = archiveOf(`${process.platform}-${process.arch}`);
  const refusal = !archive
    ? `it cannot be fetched: MongoDB's makers publish no archive for ${process.platform} on ${process.arch}`
    : fetchedSeries !== version && !version.startsWith(`${fetchedSeries}.`) && version !== '8'
      ? `only ${fetchedSeries} can be fetched, not ${version}`
      : undefined;
  if (refusal || !archive)
    throw new KipError('engine-unavailable', `"${program}" is not on this machine, and ${refusal}.`, { hint: otherwise });
  await fetchArchive(archive, fetchedFolder(context.enginesDir), { ...context, complete: requireRunnable });
}

const fetchedFolder = (enginesDir: string): string => join(enginesDir, `mongodb-${fetchedVersion}`);

/** Before the folder appears: a program that lacks a library of the system's would fail at each start without a clear reason. */
async function requireRunnable(unpacked: string): Promise<void> {
  try {
    await run(join(unpacked, 'bin', program), ['--version']);
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new KipError(
      'engine-unavailable',
      `MongoDB ${fetchedVersion} was fetched, but does not run here: ${stderr?.trim().split('\n')[0] || message}`,
      { hint: `Install what it lacks, libcurl 4 and OpenSSL 3 as a rule. Or: ${otherwise}`, cause: error },
    );
  }
}
