import { existsSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasCode, KipError, type PrepareContext } from '@skipper/api';
import { fetchArchive, type ArchiveChecksum, type MakerArchive } from '../programs/archive.ts';
import { findPrograms } from '../programs/find-program.ts';
import { majorOf } from '../versions.ts';

/** Where the makers' packages and archives are put as a rule; other places are on PATH. */
const usualHomes = ['/usr/share/opensearch', '/opt/opensearch'];
const otherwise =
  'Install OpenSearch with its security plugin in /usr/share/opensearch or /opt/opensearch, or so that "opensearch" is on PATH, for example from its makers\' packages for Debian or Red Hat.';

/** The release that is fetched for a version that names no exact one. */
const newest: Record<number, string> = { 2: '2.19.2', 3: '3.2.0' };
/** Of archives by their version and platform, where somebody has published them apart from the archives. */
const pinned: Record<string, ArchiveChecksum> = {
  // https://github.com/NixOS/nixpkgs/blob/master/pkgs/by-name/op/opensearch/package.nix
  '2.19.2-linux-x64': { algorithm: 'sha256', hex: Buffer.from('EaOx8vs3y00ln7rUiaCGoD+HhiQY4bhQAzu18VfaTYw=', 'base64').toString('hex') },
};

/** The makers' archive of a version for this platform, with its plugins and Java; `undefined` where they make none. */
export function opensearchArchive(version: string, platform = `${process.platform}-${process.arch}`): MakerArchive | undefined {
  if (!['linux-x64', 'linux-arm64'].includes(platform)) return undefined;
  const release = releaseOf(version);
  return {
    title: `OpenSearch ${release}`,
    url: `https://artifacts.opensearch.org/releases/bundle/opensearch/${release}/opensearch-${release}-${platform}.tar.gz`,
    checksum: pinned[`${release}-${platform}`] ?? { algorithm: 'sha512', beside: '.sha512' },
    otherwise,
  };
}

function releaseOf(version: string): string {
  const parts = version.split('.').length;
  if (parts === 3) return version;
  return parts === 2 ? `${version}.0` : newest[majorOf(version)]!;
}

/** The folder of OpenSearch on this machine; one with its security plugin is preferred. `undefined` when there is none. */
export async function findOpensearch(version: string, enginesDir: string): Promise<string | undefined> {
  const installed = await installedHome(majorOf(version));
  if (installed && isComplete(installed)) return installed;
  const fetched = fetchedFolder(version, enginesDir);
  return existsSync(join(fetched, 'bin', 'opensearch')) ? fetched : installed;
}

/** Makes sure that {@link findOpensearch} finds. @throws KipError `engine-unavailable` */
export async function provideOpensearch(version: string, context: PrepareContext): Promise<void> {
  const found = await findOpensearch(version, context.enginesDir);
  if (found && isComplete(found)) return;
  const archive = opensearchArchive(version);
  try {
    if (!archive) {
      throw new KipError(
        'engine-unavailable',
        `OpenSearch is not on this machine, and its makers publish none for ${process.platform}-${process.arch}.`,
        {
          hint: otherwise,
        },
      );
    }
    await fetchArchive(archive, fetchedFolder(version, context.enginesDir), {
      signal: context.signal,
      progress: (message, fraction) => context.progress(message, fraction),
    });
  } catch (error) {
    // One without the plugin starts for those who ask for that, and tells the others what it lacks.
    if (found === undefined || !hasCode(error, 'engine-unavailable')) throw error;
  }
}

/** One of this major version; `bin/opensearch` can be a link. */
async function installedHome(major: number): Promise<string | undefined> {
  const folder = await findPrograms(
    ['opensearch'],
    usualHomes.map((home) => join(home, 'bin')),
  );
  if (!folder) return undefined;
  const home = dirname(dirname(await realpath(join(folder, 'opensearch'))));
  const library = (await readdir(join(home, 'lib')).catch(() => [])).find((file) => /^opensearch-\d+\.\d+\.\d+\.jar$/.test(file));
  return library?.startsWith(`opensearch-${major}.`) ? home : undefined;
}

const isComplete = (home: string): boolean => existsSync(join(home, 'plugins', 'opensearch-security'));

const fetchedFolder = (version: string, enginesDir: string): string => join(enginesDir, `opensearch-${releaseOf(version)}`);
