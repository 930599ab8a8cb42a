import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PrepareContext } from '@skipper/api';
import { debianLibraryPath, provideFromDebian } from '../programs/debian-package.ts';
import { findPrograms } from '../programs/find-program.ts';

const program = 'mariadbd';
/** The server alone: the package `mariadb-server` brings a service of the machine's and a hundred megabytes of others. */
const debianPackage = 'mariadb-server-core';

export interface MariadbPrograms {
  server: string;
  /** Below which the server finds what belongs to it. */
  base: string;
  /** Messages, and the statements that make the system tables. */
  share: string;
  env: Record<string, string>;
}

/** MariaDB's server on this machine; `undefined` when there is none yet. */
export async function findMariadb(enginesDir: string): Promise<MariadbPrograms | undefined> {
  const homes = ['/usr/sbin', '/usr/libexec', '/usr/local/sbin', '/opt/homebrew/bin'];
  const installed = await findPrograms([program], homes);
  if (installed) return programsIn(installed, {});
  const root = fetchedFolder(enginesDir);
  const fetched = await findPrograms([program], [join(root, 'usr', 'sbin')], '');
  return fetched ? programsIn(fetched, { LD_LIBRARY_PATH: await debianLibraryPath(root) }) : undefined;
}

/** Makes sure that {@link findMariadb} finds. @throws KipError `engine-unavailable` */
export async function provideMariadb(context: PrepareContext): Promise<void> {
  if (await findMariadb(context.enginesDir)) return;
  const hint = `Install MariaDB's server so that "${program}" is on PATH, for example with "apt-get install ${debianPackage}" or "brew install mariadb".`;
  await provideFromDebian({ program, name: debianPackage, hint }, fetchedFolder(context.enginesDir), context);
}

function programsIn(folder: string, env: Record<string, string>): MariadbPrograms | undefined {
  const base = join(folder, '..');
  const share = ['mysql', 'mariadb'].map((name) => join(base, 'share', name)).find((path) => existsSync(join(path, systemTables[0])));
  return share === undefined ? undefined : { server: join(folder, program), base, share, env };
}

/** What makes the system tables, in this order; without the accounts for testing that come in another. */
export const systemTables = [
  'mysql_system_tables.sql',
  'mysql_performance_tables.sql',
  'mysql_system_tables_data.sql',
  'maria_add_gis_sp_bootstrap.sql',
  'mysql_sys_schema.sql',
] as const;

const fetchedFolder = (enginesDir: string): string => join(enginesDir, 'mariadb-debian');
