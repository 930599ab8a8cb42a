import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KipError, type BuiltinCommand, type ContainerContext, type ImageProcess } from '@skipper/api';
import { giveToPod, makePodFolder } from '../programs/ownership.ts';
import { readPrivateFile } from '../programs/private-file.ts';
import { helloMongodb } from './hello.ts';
import { mongodbPort } from './probes.ts';
import { findMongod, provideMongod } from './programs.ts';

export interface MongodbProcessOptions {
  version: string;
  /** The probes' command lines. */
  hasStarted: readonly string[];
  acceptsClients: readonly string[];
  isAlive: readonly string[];
}

/** Bytes in MongoDB's unit of its cache. */
const gibibyte = 2 ** 30;
/** In that unit: what mongod takes at least. */
const smallestCache = 0.25;

/** Runs a server for as long as a file is there, then stops it in good order. Its arguments are the file and the command. */
const runWhileThere = '"$@" & while [ -e "$0" ] && kill -0 $! 2>/dev/null; do sleep 0.05; done; kill $! 2>/dev/null; wait $!';

/** The image as a plain process. */
export function mongodbProcess({ version, hasStarted, acceptsClients, isAlive }: MongodbProcessOptions): ImageProcess {
  return {
    prepare: (context) => provideMongod(version, context),

    async start(context) {
      const mongod = await requireMongod(context);
      const dataFolder = dataFolderOf(context);
      if (!(await exists(dataFolder))) await initialize(mongod, dataFolder, context);
      return {
        file: mongod,
        args: [...options(dataFolder, context), '--bind_ip', context.podIP],
        env: environment(context),
        cwd: dataFolder,
      };
    },

    async exec(argv, context) {
      const line = argv.join('\0');
      if ([hasStarted, acceptsClients].some((probe) => line === probe.join('\0'))) return answering(context, async () => false);
      if (line === isAlive.join('\0')) return answering(context, () => hasProcess(dataFolderOf(context), context));
      return undefined;
    },
  };
}

/** Below the volume's own folder, which could not be renamed. */
const dataFolderOf = (context: ContainerContext): string => join(context.hostPath('/data/db'), 'db');

function options(dataFolder: string, context: ContainerContext): string[] {
  const limit = Number(context.env['MEMORY_LIMIT']);
  // As it would be in a container of that size. https://www.mongodb.com/docs/manual/core/wiredtiger/#memory-use
  const cache = limit > 0 ? ['--wiredTigerCacheSizeGB', Math.max(smallestCache, (limit / gibibyte - 1) / 2).toFixed(2)] : [];
  return ['--dbpath', dataFolder, '--port', String(mongodbPort), '--auth', '--nounixsocket', ...cache];
}

/**
 * Makes the data beside its final place and renames it when the administrator is in it: a kill at any point leaves nothing half
 * made. Until there is an account every client of this machine could make the first one, so the server listens on a socket that
 * only the pod and this process can reach. In the system's folder for such things, as a socket's path has to be short.
 */
async function initialize(mongod: string, dataFolder: string, context: ContainerContext): Promise<void> {
  const unfinished = `${dataFolder}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await makePodFolder(unfinished, context);
  const folder = await mkdtemp(join(tmpdir(), 'kip-mongodb-'));
  try {
    const socket = join(folder, 'mongod.sock');
    const running = join(folder, 'running');
    // Before the pod can write here, and put a link in its place.
    await writeFile(running, '', { flag: 'wx' });
    await giveToPod(folder, context);
    const ended = context.run({
      file: '/bin/sh',
      args: ['-c', runWhileThere, running, mongod, ...options(unfinished, context), '--bind_ip', socket],
      env: environment(context),
      cwd: unfinished,
    });
    const tooEarly = ended.then(() => Promise.reject(new Error('mongod ended before it was set up')));
    try {
      await Promise.race([tooEarly, makeAdministrator(socket, context)]);
    } finally {
      await rm(running, { force: true });
      await ended.catch(() => undefined);
      await tooEarly.catch(() => undefined);
    }
    await ended;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  await rename(unfinished, dataFolder);
}

/** By the right that MongoDB gives to local clients as long as there is no account. https://www.mongodb.com/docs/manual/core/localhost-exception/ */
async function makeAdministrator(socket: string, context: ContainerContext): Promise<void> {
  const { MongoClient } = await import('mongodb');
  const client = new MongoClient(`mongodb://${encodeURIComponent(socket)}`, { directConnection: true, serverSelectionTimeoutMS: 120_000 });
  const onAbort = () => void client.close().catch(() => undefined);
  context.signal.addEventListener('abort', onAbort);
  try {
    context.signal.throwIfAborted();
    await client.db('admin').command({
      createUser: required(context, 'MONGO_INITDB_ROOT_USERNAME'),
      pwd: required(context, 'MONGO_INITDB_ROOT_PASSWORD'),
      roles: ['root'],
    });
  } finally {
    context.signal.removeEventListener('abort', onAbort);
    await client.close().catch(() => undefined);
  }
}

/** @param otherwise whether all is well although nothing listens. */
function answering(context: ContainerContext, otherwise: () => Promise<boolean>): BuiltinCommand {
  return async (signal) => {
    const answer = await helloMongodb(context.podIP, mongodbPort, signal);
    const good = answer === 'accepting' || (answer === 'refused' && (await otherwise()));
    return good ? { exitCode: 0 } : { exitCode: 1, stderr: `hello: ${answer}\n` };
  };
}

/** Whether the server that holds the data runs, though it recovers and does not listen yet. */
async function hasProcess(dataFolder: string, context: ContainerContext): Promise<boolean> {
  const lock = await readPrivateFile(join(dataFolder, 'mongod.lock'), context).catch(() => undefined);
  const pid = Number.parseInt(lock ?? '', 10);
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Without the container's variables: the server needs none of them, and the password least. */
function environment(context: ContainerContext): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', HOME: context.hostPath('/tmp') };
}

async function requireMongod(context: { enginesDir: string }): Promise<string> {
  const folder = await findMongod(context.enginesDir);
  if (folder) return join(folder, 'mongod');
  throw new KipError('engine-unavailable', '"mongod" is no longer on this machine.', {
    hint: 'Restart the service: it is then fetched again.',
  });
}

function required(context: ContainerContext, name: string): string {
  const value = context.env[name];
  if (!value) throw new KipError('invalid', `Container "${context.containerName}" of pod "${context.podName}" lacks the variable ${name}.`);
  return value;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
