import { readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { KipError, type BuiltinCommand, type ContainerContext, type ImageProcess } from '@skipper/api';
import { makePodFolder } from '../programs/ownership.ts';
import { writePrivateFile } from '../programs/private-file.ts';
import { nativePasswordHash } from './password.ts';
import { findMariadb, provideMariadb, systemTables, type MariadbPrograms } from './programs.ts';
import { answers } from './ping.ts';
import { identifier, literal } from './quoting.ts';
import { commonOptions, poolSize } from './settings.ts';

export interface MysqlProcessOptions {
  /** The probes' command line. */
  ping: readonly string[];
}

const port = 3306;
/** In bytes: `sun_path` without its end, of macOS, where it is shorter than on Linux. */
const longestSocketPath = 103;
/** The only folder whose files statements may read and write, for which this server has no word like MySQL's NULL. */
const noFiles = 'no-files';

/**
 * The image as a plain process: MariaDB's server, which speaks MySQL's protocol and which distributions carry, with the same steps as the
 * container's start script.
 */
export function mysqlProcess({ ping }: MysqlProcessOptions): ImageProcess {
  return {
    prepare: provideMariadb,

    async start(context) {
      const programs = await findMariadb(context.enginesDir);
      if (!programs)
        throw new KipError('engine-unavailable', "MariaDB's server is no longer on this machine.", {
          hint: 'Restart the service: it is then fetched again.',
        });
      const dataFolder = join(context.hostPath('/var/lib/mysql'), 'data');
      const scratch = context.hostPath('/tmp');
      await makePodFolder(context.hostPath('/var/lib/mysql'), context);
      await makePodFolder(scratch, context);
      await makePodFolder(join(scratch, noFiles), context);
      if (!(await exists(dataFolder))) await initialize(programs, dataFolder, context);
      const sockets = context.hostPath('/var/run/mysqld');
      await makePodFolder(sockets, context);
      const socket = join(sockets, 'mysqld.sock');
      // Everything here connects by address. A server cannot be without a socket, so a deep folder gives way to the data folder, where a relative path does.
      const usable = Buffer.byteLength(socket) <= longestSocketPath ? socket : 'mysqld.sock';
      const limit = Number(context.env['MEMORY_LIMIT']);
      return {
        file: programs.server,
        args: [
          ...serverOptions(programs, dataFolder, scratch),
          `--bind-address=${context.podIP}`,
          `--port=${port}`,
          `--socket=${usable}`,
          `--pid-file=${join(sockets, 'mysqld.pid')}`,
          ...(limit > 0 ? [`--innodb-buffer-pool-size=${poolSize(limit)}`] : []),
        ],
        env: processEnvironment(programs),
        cwd: scratch,
        standIn: 'MariaDB',
      };
    },

    async exec(argv, context) {
      if (argv.join('\0') === ping.join('\0') || argv[0] === 'mysqladmin') return pinging(context);
      return undefined;
    },
  };
}

/** Beside the final place, then renamed: a kill at any point leaves nothing half made. */
async function initialize(programs: MariadbPrograms, dataFolder: string, context: ContainerContext): Promise<void> {
  const unfinished = `${dataFolder}.new`;
  const scratch = context.hostPath('/tmp');
  const statements = join(scratch, 'init.sql');
  await rm(unfinished, { recursive: true, force: true });
  await makePodFolder(unfinished, context);
  const tables = await Promise.all(systemTables.map((file) => readFile(join(programs.share, file), 'utf8')));
  const own = initialStatements(required(context, 'MYSQL_USERNAME'), required(context, 'MYSQL_PWD'), required(context, 'MYSQL_DATABASE'));
  await writePrivateFile(statements, ['CREATE DATABASE mysql;', 'USE mysql;', ...tables, ...own, ''].join('\n'), context);
  // The statements come by standard input, hence the shell.
  await context.run({
    file: '/bin/sh',
    args: [
      '-c',
      'input=$1; shift; exec "$@" <"$input"',
      'sh',
      statements,
      programs.server,
      ...serverOptions(programs, unfinished, scratch),
      '--bootstrap',
    ],
    env: processEnvironment(programs),
    cwd: scratch,
  });
  await rm(statements, { force: true });
  await rename(unfinished, dataFolder);
}

/** The administrator is the only account that can log in. */
function initialStatements(username: string, password: string, database: string): string[] {
  const account = `${literal(username)}@'%'`;
  return [
    'DELETE FROM mysql.proxies_priv;',
    "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';",
    'FLUSH PRIVILEGES;',
    `CREATE USER ${account} IDENTIFIED VIA mysql_native_password USING ${literal(nativePasswordHash(password))};`,
    `GRANT ALL PRIVILEGES ON *.* TO ${account} WITH GRANT OPTION;`,
    `CREATE DATABASE ${identifier(database)} CHARACTER SET utf8mb4;`,
  ];
}

function serverOptions(programs: MariadbPrograms, dataFolder: string, scratch: string): string[] {
  return [
    '--no-defaults',
    `--basedir=${programs.base}`,
    `--lc-messages-dir=${programs.share}`,
    `--datadir=${dataFolder}`,
    `--tmpdir=${scratch}`,
    `--secure-file-priv=${join(scratch, noFiles)}`,
    '--skip-log-bin',
    '--console',
    ...commonOptions,
  ];
}

function pinging(context: ContainerContext): BuiltinCommand {
  return async (signal) =>
    (await answers({
      host: context.podIP,
      port,
      user: required(context, 'MYSQL_USERNAME'),
      password: required(context, 'MYSQL_PWD'),
      signal,
    }))
      ? { exitCode: 0, stdout: 'mysqld is alive\n' }
      : { exitCode: 1, stderr: 'no answer\n' };
}

/** Without the container's variables: the server needs none of them, and the password least. */
function processEnvironment({ env }: MariadbPrograms): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...env };
}

function required(context: ContainerContext, name: string): string {
  const value = context.env[name];
  if (!value) throw new KipError('invalid', `Container "${context.containerName}" of pod "${context.podName}" lacks the variable ${name}.`);
  return value;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
