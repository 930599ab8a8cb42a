import { createHash } from 'node:crypto';
import { rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { KipError, type BuiltinCommand, type ContainerContext, type ImageProcess } from '@skipper/api';
import { makePodFolder } from '../programs/ownership.ts';
import { readPrivateFile, writePrivateFile } from '../programs/private-file.ts';
import { pingRedis } from './ping.ts';
import { findRedis, provideRedis, type RedisPrograms } from './programs.ts';
import { accountsFile, administratorAccounts, administratorLines, dataShare, redisConfig } from './settings.ts';

export interface RedisProcessOptions {
  /** The probes' command lines. */
  acceptsCommands: readonly string[];
  isAlive: readonly string[];
}

const port = 6379;

/** The image as a plain process, with the same settings as the container's start script. */
export function redisProcess({ acceptsCommands, isAlive }: RedisProcessOptions): ImageProcess {
  const programs = async (context: { enginesDir: string }): Promise<RedisPrograms> => {
    const found = await findRedis(context.enginesDir);
    if (!found)
      throw new KipError('engine-unavailable', '"redis-server" is no longer on this machine.', {
        hint: 'Restart the service: it is then fetched again.',
      });
    return found;
  };

  return {
    prepare: provideRedis,

    async start(context) {
      const { folder, env } = await programs(context);
      const dataFolder = context.hostPath('/data');
      await makePodFolder(dataFolder, context);
      const accounts = join(dataFolder, accountsFile);
      await writeAccounts(accounts, context);
      const scratch = context.hostPath('/tmp');
      await makePodFolder(scratch, context);
      const file = join(scratch, 'redis.conf');
      const limit = Number(context.env['MEMORY_LIMIT']);
      const config = redisConfig({
        dataFolder: JSON.stringify(dataFolder),
        accountsFile: JSON.stringify(accounts),
        bind: context.podIP,
        ...(limit > 0 ? { maxMemory: Math.floor(limit * dataShare) } : {}),
      });
      await writePrivateFile(file, config, context);
      return {
        file: join(folder, 'redis-server'),
        args: [file],
        env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...env },
        cwd: dataFolder,
      };
    },

    async exec(argv, context) {
      const line = argv.join('\0');
      if (line === acceptsCommands.join('\0')) return answering(context, (answer) => answer === 'PONG');
      if (line === isAlive.join('\0')) return answering(context, (answer) => answer !== undefined);
      const [name = '', ...args] = argv;
      if (name.includes('/')) return undefined;
      const { folder, env } = await programs(context);
      const file = join(folder, name);
      if (!(await stat(file).catch(() => undefined))) return undefined;
      // In a container `redis-cli` finds its server on 127.0.0.1.
      const host = name === 'redis-cli' && !args.includes('-h') ? ['-h', context.podIP] : [];
      return { file, args: [...host, ...args], env: { ...context.env, PATH: process.env['PATH'] ?? '/usr/bin:/bin', ...env } };
    },
  };
}

/** Replaces the administrator's lines and keeps those of apps; the file is the old one or the new one, whenever this is killed. */
async function writeAccounts(file: string, context: ContainerContext): Promise<void> {
  const username = required(context, 'REDIS_USERNAME');
  const before = (await readPrivateFile(file, context)) ?? '';
  const own = administratorLines(username);
  const apps = before.split('\n').filter((line) => line !== '' && !own.some((beginning) => line.startsWith(beginning)));
  const hash = createHash('sha256').update(required(context, 'REDISCLI_AUTH')).digest('hex');
  await writePrivateFile(`${file}.new`, administratorAccounts(username, hash) + apps.map((line) => `${line}\n`).join(''), context);
  await rename(`${file}.new`, file);
}

function answering(context: ContainerContext, good: (answer: string | undefined) => boolean): BuiltinCommand {
  return async (signal) => {
    const answer = await pingRedis({
      host: context.podIP,
      port,
      username: required(context, 'REDIS_USERNAME'),
      password: required(context, 'REDISCLI_AUTH'),
      signal,
    });
    return good(answer) ? { exitCode: 0, stdout: `${answer}\n` } : { exitCode: 1, stderr: `${answer ?? 'no answer'}\n` };
  };
}

function required(context: ContainerContext, name: string): string {
  const value = context.env[name];
  if (!value) throw new KipError('invalid', `Container "${context.containerName}" of pod "${context.podName}" lacks the variable ${name}.`);
  return value;
}
