import { rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KipError, type BuiltinCommand, type ContainerContext, type ImageProcess, type ProcessSpec } from '@skipper/api';
import { makePodFolder } from '../programs/ownership.ts';
import { writePrivateFile } from '../programs/private-file.ts';
import { probePostgres, type Readiness } from './accepting.ts';
import { findPostgres, providePostgres } from './programs.ts';

export interface PostgresProcessOptions {
  major: number;
  initdbOptions: readonly string[];
  /** The liveness probe's command line. */
  isAlive: readonly string[];
}

const port = 5432;
const socketFolder = '/var/run/postgresql';
/** In bytes: `sun_path` without its end, of macOS, where it is shorter than on Linux. */
const longestSocketPath = 103;
const exitCodes: Record<Readiness, number> = { accepting: 0, rejecting: 1, silent: 2 };

/** The image as a plain process, with the same steps as the container's start script. */
export function postgresProcess({ major, initdbOptions, isAlive }: PostgresProcessOptions): ImageProcess {
  const programFolder = async (context: { enginesDir: string }): Promise<string> => {
    const folder = await findPostgres(major, context.enginesDir);
    if (!folder)
      throw new KipError('engine-unavailable', `PostgreSQL ${major} is no longer on this machine.`, {
        hint: 'Restart the service: it is then fetched again.',
      });
    return folder;
  };

  return {
    prepare: (context) => providePostgres(major, context),

    async start(context) {
      const bin = await programFolder(context);
      const dataFolder = context.hostPath(required(context, 'PGDATA'));
      if (!(await exists(dataFolder))) await initialize(bin, dataFolder, initdbOptions, context);
      const sockets = context.hostPath(socketFolder);
      // Everything here connects by address; the socket is for tools, and a deep folder makes a path that no socket can have.
      const hasSocket = Buffer.byteLength(join(sockets, `.s.PGSQL.${port}`)) <= longestSocketPath;
      if (hasSocket) await makePodFolder(sockets, context);
      return {
        file: join(bin, 'postgres'),
        args: ['-D', dataFolder, '-c', `listen_addresses=${context.podIP}`, '-c', `unix_socket_directories=${hasSocket ? sockets : ''}`],
        env: processEnvironment(context),
        cwd: dataFolder,
        // Fast shutdown: SIGTERM would wait for every client to leave.
        stopSignal: 'SIGINT',
      };
    },

    async exec(argv, context) {
      if (argv[0] === 'pg_isready') return readiness(context, (state) => exitCodes[state]);
      if (argv.join('\0') === isAlive.join('\0')) return readiness(context, (state) => (exitCodes[state] < exitCodes.silent ? 0 : 1));
      const [name = '', ...args] = argv;
      if (name.includes('/')) return undefined;
      const file = join(await programFolder(context), name);
      return (await exists(file)) ? { file, args, env: { ...processEnvironment(context), PGHOST: context.podIP } } : undefined;
    },
  };
}

function readiness(context: ContainerContext, exitCode: (state: Readiness) => number): BuiltinCommand {
  return async (signal) => ({ exitCode: exitCode(await probePostgres(context.podIP, port, signal)) });
}

/** Beside the final place, then renamed: a kill at any point leaves nothing half made. */
async function initialize(bin: string, dataFolder: string, options: readonly string[], context: ContainerContext): Promise<void> {
  const unfinished = `${dataFolder}.new`;
  const passwordFile = join(context.hostPath('/tmp'), 'initdb-password');
  const user = required(context, 'POSTGRES_USER');
  const env = processEnvironment(context);
  await rm(unfinished, { recursive: true, force: true });
  await makePodFolder(dirname(dataFolder), context);
  await makePodFolder(dirname(passwordFile), context);
  try {
    await writePrivateFile(passwordFile, `${required(context, 'POSTGRES_PASSWORD')}\n`, context);
    await context.run({ file: join(bin, 'initdb'), args: ['-D', unfinished, '-U', user, `--pwfile=${passwordFile}`, ...options], env });
  } finally {
    await rm(passwordFile, { force: true });
  }
  await context.run(letAllAddressesLogIn(unfinished, env));
  await context.run(createDatabase(bin, unfinished, required(context, 'POSTGRES_DB'), env));
  await rename(unfinished, dataFolder);
}

/** By the pod itself, which made the folder: the cluster can be root, and must not write where a link of the pod's leads. */
function letAllAddressesLogIn(dataFolder: string, env: Record<string, string>): ProcessSpec {
  const append = 'echo "host all all all scram-sha-256" >>"$1"';
  return { file: '/bin/sh', args: ['-c', append, 'sh', join(dataFolder, 'pg_hba.conf')], env };
}

/** In single-user mode, which needs neither a port nor a password. The statement comes by standard input, hence the shell. */
function createDatabase(bin: string, dataFolder: string, database: string, env: Record<string, string>): ProcessSpec {
  const statement = `CREATE DATABASE "${database.replaceAll('"', '""')}"`;
  return {
    file: '/bin/sh',
    args: ['-c', 'printf "%s\\n" "$3" | "$1" --single -D "$2" postgres', 'sh', join(bin, 'postgres'), dataFolder, statement],
    env,
  };
}

/** Without the container's variables: the server needs none of them, and the password least. */
function processEnvironment(context: ContainerContext): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', HOME: context.hostPath('/tmp') };
}

function required(context: ContainerContext, name: string): string {
  const value = context.env[name];
  if (!value) throw new KipError('invalid', `Container "${context.containerName}" of pod "${context.podName}" lacks the variable ${name}.`);
  return value;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
